"""budctl: signing in, what it prints, and how it ends."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from budapp.dataset_ops.checking import Checking
from budapp_client import Tokens, __version__
from budapp_client.cli.access import SessionFile
from budapp_client.cli.main import COMMANDS
from tests.cast import PASSWORD, Cast
from tests.client.budctl import Finished, budctl
from tests.datasets.conftest import checking
from tests.datasets.data import CSV
from tests.deployments.conftest import Ground, ground
from tests.events.sidecar import free_port
from tests.peers.conftest import environment, stand_in
from tests.service_accounts.data import make_account, make_service_key
from tests.waiting import until
from tests.workflows.conftest import Bench, bench

__all__ = ["bench", "checking", "environment", "ground", "stand_in"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the session is kept."""
    monkeypatch.setenv("BUDCTL_HOME", str(tmp_path / "budctl"))
    for name in ("BUDCTL_ADDRESS", "BUDCTL_TOKEN", "BUDCTL_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "budctl"


@pytest.fixture
async def signed_in(address: str, tokens: Tokens, home: Path) -> None:
    SessionFile().keep(address, tokens)


def mode(path: Path) -> int | None:
    """Who may use a file, or None where there is none."""
    return path.stat().st_mode & 0o777 if path.exists() else None


async def done(*arguments: str, typed: str = "") -> Finished:
    finished = await budctl(*arguments, typed=typed)
    assert finished.status == 0, finished.stderr
    return finished


async def test_a_session_from_login_to_logout(address: str, cast: Cast, home: Path) -> None:
    finished = await done("login", address, "--email", cast.manager.email, "--password-stdin", typed=f"{PASSWORD}\n")
    kept = home / "session.json"
    assert (mode(kept), mode(home)) == (0o600, 0o700)
    secrets = json.loads(kept.read_text())["tokens"]
    assert secrets["access"] not in finished.stdout + finished.stderr
    assert (await done("whoami", "--json")).json["email"] == cast.manager.email
    await done("logout")
    assert mode(kept) is None
    after = await budctl("whoami")
    assert (after.status, after.stdout) == (3, "")
    assert after.stderr == "budctl: You are not signed in\nNext: budctl login ADDRESS\n"
    SessionFile().keep(address, Tokens(**secrets))
    assert (await budctl("whoami")).status == 3, "the session has ended at the service too"


async def test_a_wrong_password_keeps_nothing(address: str, cast: Cast, home: Path) -> None:
    finished = await budctl(
        "login", address, "--email", cast.manager.email, "--password-stdin", typed="Wrong-Horse-1\n"
    )
    assert finished.status == 1
    assert "password" in finished.stderr.lower()
    assert "Wrong-Horse-1" not in finished.stderr
    assert mode(home) is None


async def test_the_session_is_renewed_and_kept(address: str, tokens: Tokens, home: Path) -> None:
    SessionFile().keep(address, Tokens(tokens.access, tokens.refresh, time.time() - 1))
    await done("projects", "list")
    kept = SessionFile().read()
    assert kept.access != tokens.access
    assert mode(home / "session.json") == 0o600


async def test_a_session_is_of_one_address(signed_in: None) -> None:
    other = f"http://127.0.0.1:{free_port()}"
    finished = await budctl("--address", other, "projects", "list")
    assert (finished.status, finished.stderr) == (
        3,
        f"budctl: You are not signed in at {other}\nNext: budctl login {other}\n",
    )


async def test_a_service_account_needs_no_session(
    address: str, cast: Cast, bench: Bench, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    account = await make_account(bench.http, cast.admin, role="admin")
    key = await make_service_key(bench.http, cast.admin, account["id"])
    monkeypatch.setenv("BUDCTL_ADDRESS", address)
    monkeypatch.setenv("BUDCTL_TOKEN", key["key"])
    assert (await done("projects", "create", "Nightly", "--json")).json["name"] == "Nightly"
    assert [one["project"]["name"] for one in (await done("projects", "list", "--json")).json] == ["Nightly"]
    assert mode(home) is None
    monkeypatch.setenv("BUDCTL_TOKEN", key["key"][:-1] + "x")
    refused = await budctl("projects", "list")
    assert refused.status == 3
    assert key["key"][:-1] not in refused.stderr


async def test_projects(signed_in: None) -> None:
    assert (await done("projects", "list")).stderr == "No projects\n"
    made = (await done("projects", "create", "Atlas", "--description", "Maps", "--json")).json
    table = (await done("projects", "list")).stdout.splitlines()
    assert re.split(r"\s{2,}", table[0].strip())[:2] == ["ID", "NAME"]
    assert re.split(r"\s{2,}", table[2].strip())[:2] == [made["id"], "Atlas"]
    assert (await done("projects", "show", "Atlas", "--json")).json["id"] == made["id"]
    assert "Description  Maps" in (await done("projects", "show", made["id"])).stdout
    twice = await budctl("projects", "create", "Atlas")
    assert twice.status == 1
    assert re.match(r"budctl: .+ \(4\d\d, .*request \w+\)", twice.stderr)


async def test_what_is_not_there_is_code_4(signed_in: None) -> None:
    by_name = await budctl("projects", "show", "Nowhere")
    assert (by_name.status, by_name.stderr) == (
        4,
        "budctl: There is no project called Nowhere\nNext: budctl projects list\n",
    )
    by_id = await budctl("projects", "show", str(uuid4()))
    assert by_id.status == 4
    assert re.fullmatch(
        r"budctl: Project not found \(404, request \w+\)\nNext: the command `list` shows what you may see\n",
        by_id.stderr,
    )


async def test_a_service_that_does_not_answer_is_code_5() -> None:
    finished = await budctl("--address", f"http://127.0.0.1:{free_port()}", "--token", "key", "projects", "list")
    assert finished.status == 5
    assert "does not answer" in finished.stderr
    assert "Traceback" not in finished.stderr


async def test_keys_show_their_secret_once(signed_in: None) -> None:
    await done("projects", "create", "Atlas")
    made = await done("keys", "create", "Trial", "--project", "Atlas", "--days", "30", "--json")
    key = made.json
    assert re.fullmatch(r"bud_admin_\S+", key["key"])
    listed = await done("keys", "list", "--json")
    assert [one["id"] for one in listed.json] == [key["id"]]
    assert key["key"] not in listed.stdout
    rotated = await done("keys", "rotate", key["id"])
    [secret] = re.findall(r"^Key +(bud_admin_\S+)$", rotated.stdout, re.MULTILINE)
    assert secret != key["key"]
    assert "not shown again" in rotated.stderr
    await done("keys", "revoke", key["id"])
    assert (await done("keys", "list", "--json")).json == []


async def test_a_dataset_is_uploaded_by_name(signed_in: None, checking: Checking, tmp_path: Path) -> None:
    await done("projects", "create", "Data")
    path = tmp_path / "data.csv"
    path.write_bytes(CSV)
    upload = ("datasets", "upload", str(path), "--project", "Data", "--dataset", "Numbers", "--json")
    assert (await done(*upload, "--no-wait")).json["status"] == "checking"
    waiting = asyncio.create_task(done(*upload))

    async def is_checked() -> bool:
        await checking.check()
        return waiting.done()

    await until(is_checked)
    assert (await waiting).json["row_count"] == 3
    [dataset] = (await done("datasets", "list", "--project", "Data", "--json")).json
    assert (dataset["name"], dataset["latest_version"]) == ("Numbers", 2)


async def test_a_model_is_deployed_and_watched(address: str, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDCTL_ADDRESS", address)
    monkeypatch.setenv("BUDCTL_TOKEN", ground.bench.person.tokens["access_token"])
    name = f"chat-{uuid4().hex[:8]}"
    [model] = (await done("models", "list", "--json")).json
    deploy = ("deploy", model["name"], "--project", ground.project_id, "--name", name)
    deploying = asyncio.create_task(budctl(*deploy, "--timeout", "60"))

    async def is_over() -> bool:
        return deploying.done()

    await ground.until(is_over)
    finished = deploying.result()
    assert finished.status == 0, finished.stderr
    assert re.search(r"^Status +completed$", finished.stdout, re.MULTILINE)
    assert finished.stderr.count("completed") > 5, "a line for each step"
    [deployment] = (await done("deployments", "list", "--json")).json
    assert (deployment["name"], deployment["status"]) == (name, "running")
    assert name in (await done("deployments", "list")).stdout
    workflow_id = re.findall(r"^Workflow +(\S+)$", finished.stdout, re.MULTILINE)[0]
    assert (await done("watch", workflow_id, "--json")).json["status"] == "completed"


async def test_a_workflow_that_failed_is_code_6(address: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDCTL_ADDRESS", address)
    monkeypatch.setenv("BUDCTL_TOKEN", bench.person.tokens["access_token"])
    workflow_id = await bench.draft()
    await bench.peer.does_wrong(workflow_id, fail_at="model_download", times=1)
    await bench.trigger(workflow_id)
    await bench.until(workflow_id, "failed")
    finished = await budctl("watch", workflow_id)
    assert finished.status == 6
    assert re.search(r"^failed +Downloading", finished.stderr, re.MULTILINE)
    assert f"Next: budctl watch {workflow_id} shows its steps" in finished.stderr


async def test_every_command_has_json_and_its_line_in_the_help() -> None:
    listed = (await done("--help")).stdout
    for name, lazy in COMMANDS.items():
        command = lazy.load(name)
        assert command.get_short_help_str(200) == lazy.help
        assert name in listed
        for leaf in getattr(command, "commands", {name: command}).values():
            assert "--json" in {option for param in leaf.params for option in param.opts}, leaf.name


async def test_wrong_usage_is_code_2() -> None:
    finished = await budctl("projects", "create")
    assert finished.status == 2
    assert "Missing argument" in finished.stderr


def test_help_and_version_import_no_client(root: Path) -> None:
    source = root / "clients" / "python" / "src"
    script = (
        "import sys; from budapp_client.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('httpx' in sys.modules, file=sys.stderr)"
    )
    for option, expected in (("--help", "Exit codes"), ("--version", f"budctl {__version__}\n")):
        command = [sys.executable, "-c", script, option]
        env = os.environ | {"PYTHONPATH": str(source)}
        finished = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        assert expected in finished.stdout
        assert finished.stderr == "False\n"
