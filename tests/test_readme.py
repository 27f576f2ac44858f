"""The README's first session and the tour do what the text around them says, on the running stack."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from dotenv import dotenv_values

from budapp.commons.config import load_settings
from budapp.integrations.keycloak import Keycloak
from tests import stack
from tests.oauth.browser import browser

ADDRESS = "http://127.0.0.1:9081/"
ADMINISTRATOR = "admin@example.com"


TOUR = "docs/tour.md"
OF_A_DEPLOYMENT = (
    "Models and datasets",
    "A running deployment",
    "Is it good, is it safe",
    "Prompts, tools and a schedule",
    "The end of it",
)


def blocks_of(root: Path, title: str, page: str = TOUR) -> list[str]:
    """Return the commands of the page's section, block by block."""
    section = (root / page).read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.DOTALL)


def first_session(root: Path, page: str = TOUR) -> list[str]:
    """Return the first session's commands, but for the one that starts the stack: it runs."""
    start, *blocks = blocks_of(root, "A first session", page)
    assert start == "./deploy/start_dev.sh -d\n"
    return blocks


def here(script: str, changes: dict[str, str]) -> str:
    """Return the script for this stack; what it is changed in is printed just once."""
    for printed, ours in changes.items():
        assert script.count(printed) == 1
        script = script.replace(printed, ours)
    return script


def env_file(root: Path) -> Path:
    return Path(os.environ.get("BUDAPP_ENV_FILE", root / ".env")).absolute()


def address(root: Path) -> dict[str, str]:
    port = dotenv_values(env_file(root))["APP_PORT"]
    return {ADDRESS: f"http://127.0.0.1:{port}/", " .env)": f" '{env_file(root)}')"}


def output_of(session: str, seconds: int, cwd: Path | None = None) -> tuple[str, str]:
    """Run the commands with bash, and return what they print; that is in the message where they fail."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        start_new_session=True,
    ) as shell:
        try:
            output, errors = shell.communicate(session, timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            pytest.fail("Not done in time, after:\n" + "\n".join(shell.communicate()))
    assert shell.returncode == 0, output + errors
    return output, errors


@pytest.fixture
def administrator() -> str:
    """The email address of an administrator whose password is in the settings."""
    return stack.administrator()[0]


def test_the_readmes_session_works_as_printed(root: Path, administrator: str) -> None:
    session = here("\n".join(first_session(root, "README.md")), address(root) | {ADMINISTRATOR: administrator})
    output, errors = output_of(session, 60)
    assert '"name": "Handbook chat' in output
    assert '"gpt-4o"' in output
    assert errors == ""


def test_the_tours_first_session_works_as_printed(root: Path, administrator: str) -> None:
    session = here("\n".join(first_session(root)), address(root) | {ADMINISTRATOR: administrator})
    output, errors = output_of(session, 120)
    assert output.count('"success": true') == 1
    assert output.count('"total_record": 1,') == 1
    assert output.endswith("signed out\n")
    assert errors == "curl: (22) The requested URL returned error: 401\n"


@pytest.mark.timeout(400)
def test_models_a_dataset_and_a_deployment_come_in_as_printed(root: Path, administrator: str, tmp_path: Path) -> None:
    functions = first_session(root)[0]
    session = "\n".join([functions, *(block for title in OF_A_DEPLOYMENT for block in blocks_of(root, title))])
    session = here(session, address(root) | {ADMINISTRATOR: administrator, "range(5_000_000)": "range(500_000)"})
    output, _ = output_of(session, 360, tmp_path)
    lines = output.splitlines()
    assert lines[0] == "Model successfully added to the repository"
    assert [line.partition(" ")[0] for line in lines[1:6]] == ["COMPLETED"] * 5
    assert "model.model_licenses.name: Llama 3.1 Community License" in lines
    assert "scan_result.status: safe" in lines
    assert "checking" in lines
    assert '"number"' in output
    assert {"endpoint.status", "workflow.status", "workflow.step"} <= set(lines), "the stream shows it step by step"
    deployed = lines[lines.index("Endpoint published") - 1 :]
    assert re.fullmatch(r"This is chat-\d+\. You said: Hello", deployed[0])
    assert re.fullmatch(r"chat-\d+", deployed[2]), "the catalog does not show it"
    assert deployed[3].startswith("bud_")
    assert '"confidence_interval": {' in output, "the score does not say how certain it is"
    found = lines.index('["E-mail addresses"]')
    assert [line.partition(" ")[0] for line in lines[found + 1 : found + 4]] == ["COMPLETED"] * 3
    assert lines[found + 4 : found + 8] == ["Tools added", "Version created", "input_schema", "COMPLETED"]
    assert lines[found + 8 :] == ["COMPLETED Deleting model deployment", "COMPLETED Deleting Cluster"]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def company_script(root: Path, tmp_path: Path) -> Iterator[Path]:
    """The second company's commands, after the shell functions of the first session; its realms go at the end."""
    functions = here(first_session(root)[0], address(root))
    script = tmp_path / "company.sh"
    script.write_text("\n".join([functions, *blocks_of(root, "A second company")]))
    yield script
    settings = load_settings()

    async def clean_up() -> None:
        keycloak = Keycloak(settings)
        for realm in await keycloak.admin(settings.keycloak_realm_name).a_get_realms():
            if realm["realm"].startswith("acme-"):
                if not realm["realm"].endswith("-company"):
                    command = [sys.executable, "-m", "budapp.cli", "tenant", "disable", realm["realm"]]
                    await asyncio.to_thread(subprocess.run, command, check=True, timeout=120)
                await keycloak.delete_realm(realm["realm"])
        await keycloak.close()

    asyncio.run(clean_up())


def test_a_second_company_comes_in_as_printed(root: Path, company_script: Path) -> None:
    environment = os.environ | {"BUDAPP_ENV_FILE": str(env_file(root))}
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", str(company_script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=root,
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        printed = []
        for line in shell.stdout:
            printed.append(line)
            if line.startswith("http"):
                shell.stdin.write(exchange_token_from(line.strip()) + "\n")
                shell.stdin.flush()
        assert shell.wait(timeout=60) == 0, "".join(printed)
    output = "".join(printed)
    assert printed[0] == "1\n"
    assert '"allowed": false' in output
    assert "entries as exported" in printed[-1]


def exchange_token_from(url: str) -> str:
    """Sign in at the company, and return what the browser's address says at the end."""
    with browser() as window:
        window.go(url)
        window.sign_in("Company-Horse-1", "ann@corp.example")
        back = window.arrive("http://localhost:3000")
    return parse_qs(urlsplit(back).query)["exchange_token"][0]
