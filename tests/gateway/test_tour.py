"""The tour of `docs/gateway.md` does what the text around it says, on the running stack."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_readme import ADMINISTRATOR, address, administrator, env_file, first_session, here

__all__ = ["administrator"]


def tour(root: Path) -> str:
    """Return the commands of the page's last section; under load, changes may take longer than is printed."""
    section = (root / "docs" / "gateway.md").read_text().partition("## A tour\n")[2]
    script = "\n".join(re.findall(r"```bash\n(.*?)```", section, re.DOTALL))
    script = script.replace("sleep 1\n", "sleep 4\n").replace("sleep 5\n", "sleep 15\n")
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    return script.replace("${BUDAPP_ENV_FILE:-.env}", str(env_file(root)))


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="it needs the stack's Valkey for itself: run with -n0")
def test_the_tour_works_as_printed(root: Path, administrator: str) -> None:
    functions, sign_in, *_ = first_session(root)
    begin = here("\n".join([functions, sign_in]), address(root) | {ADMINISTRATOR: administrator})
    deploy = f'endpoint=$({sys.executable} -m tests.gateway.put_in "$project")\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input="\n".join([begin + "\necho TOUR", deploy, tour(root)]),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=root,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    model, published, opened, left, no_end, flushed, back, revoked, shut = done.stdout.partition("TOUR\n")[
        2
    ].splitlines()
    assert '"vllm"' in model
    assert "tour-" in published
    assert "tour-" in opened
    assert 3000 < int(left) <= 3600
    assert (no_end, flushed) == ("-1", "True")
    assert back == opened
    assert (revoked, shut) == ("API key revoked", "0")
