"""Commands of budapp as processes of their own."""

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.forked import run

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([run.__module__])


def forked(*arguments: str, environment: dict[str, str], log: Path = Path(os.devnull)) -> BaseProcess:
    """Start `budapp` with these arguments, and return the process, which ends with this one at the latest.

    Args:
        environment: all of it.
        log: the file that gets what it prints.
    """
    process = _FORKS.Process(target=run, args=(arguments, environment, log), daemon=True)
    process.start()
    return process
