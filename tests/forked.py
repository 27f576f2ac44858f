"""What commands of budapp are forked from: a process that has it imported, which takes most of a start."""

import os
from pathlib import Path

from budapp.commons.garbage import grow_heap

grow_heap()

from budapp.cli.main import main  # noqa: E402 - after the heap, as when it is served
from budapp.main import create_app  # noqa: E402

__all__ = ["create_app", "run"]


def run(arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
    """Be `budapp` with these arguments in this environment, which nothing is added to."""
    os.environ.clear()
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    main(arguments)
