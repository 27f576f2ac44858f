"""The README's first session does what the text around it says, on the running stack."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dotenv import dotenv_values

ADDRESS = "http://127.0.0.1:9081/"
ADMINISTRATOR = "admin@example.com"


def session_of(readme: str) -> str:
    """Return the section's commands, but for the one that starts the stack: it runs."""
    section = readme.partition("## A first session")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert blocks.pop(0) == "./deploy/start_dev.sh -d\n"
    return "\n".join(blocks)


@pytest.fixture
def administrator() -> str:
    """One of this test's own: Keycloak refuses a sign-in while another to the same account is under way."""
    email = f"admin-{time.time_ns()}@example.com"
    environment = os.environ | {"SUPER_USER_EMAIL": email}
    subprocess.run([sys.executable, "-m", "budapp.cli", "seed"], env=environment, check=True, timeout=120)
    return email


def test_the_first_session_works_as_printed(root: Path, administrator: str) -> None:
    env_file = Path(os.environ.get("BUDAPP_ENV_FILE", root / ".env"))
    session = session_of((root / "README.md").read_text())
    changes = {
        ADDRESS: f"http://127.0.0.1:{dotenv_values(env_file)['APP_PORT']}/",
        ADMINISTRATOR: administrator,
        " .env)": f" '{env_file}')",
    }
    for printed, here in changes.items():
        assert session.count(printed) == 1
        session = session.replace(printed, here)
    done = subprocess.run(
        ["bash", "-euo", "pipefail"], input=session, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"success": true') == 1
    assert done.stdout.count('"total_record": 1,') == 1
    assert done.stdout.endswith("signed out\n")
    assert done.stderr == "curl: (22) The requested URL returned error: 401\n"
