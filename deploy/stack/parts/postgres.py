"""PostgreSQL, from a wheel, listening on 127.0.0.1 only."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import processes
from ..console import StackError, indented
from ..files import digest
from ..settings import Settings, clean_environment
from ..toolbox import Tools
from .part import Part

_MAJOR = 16
_SERVER = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "password_encryption": "scram-sha-256",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_FOR_TESTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Their tables are small, and most queries of them shorter than it takes to start a worker.
    "max_parallel_workers_per_gather": "0",
}


def postgres(settings: Settings, tools: Tools) -> Part:
    """Return the part; its role and database are those that the settings name."""
    data = settings.state / f"postgres-{_MAJOR}"
    port = settings.port("PSQL_PORT")
    options = {**_SERVER, **(_FOR_TESTS if settings.for_tests else {}), "port": str(port)}
    flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return Part(
        name="postgres",
        title="PostgreSQL",
        command=[*unprivileged(data), tools.postgres / "postgres", "-D", data, *flags],
        ready=lambda: _accepts_login(settings, tools.postgres),
        ports={"PSQL_PORT": port},
        prepare=lambda: _prepare(settings, tools.postgres, data),
        stop_signal="INT",
        version=_wanted(settings),
    )


def unprivileged(data: Path) -> list[str]:
    """Return the words before a command that let it run for root, as the user to whom the data belongs, or nobody.

    Some servers refuse to run as root. The checkout and the cache may lie in folders that only root may enter, so the
    other user keeps the one capability that lets it through; the bit lets it count in `access()` too.
    """
    if os.geteuid() != 0:
        return []
    owner = _owner(data)
    return [
        "setpriv",
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
    ]


def _owner(data: Path) -> pwd.struct_passwd:
    owner = data.stat().st_uid if data.exists() else 0
    return pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")


def _prepare(settings: Settings, programs: Path, data: Path) -> None:
    """Make the data folder, and bring role and database in line with the settings.

    This happens in the single-user mode, before the server runs, so that no superuser password has to be kept.
    """
    if not (data / "PG_VERSION").exists():
        _initialise(programs, data)
    _end_leftover(data)
    data.chmod(0o700)  # The server accepts nothing else, and a chmod of the whole checkout is soon done.
    mark = settings.state / "postgres.applied"
    if not mark.exists() or mark.read_text() != _wanted(settings):
        _apply(settings, programs, data)
        mark.write_text(_wanted(settings))


def _wanted(settings: Settings) -> str:
    return digest(*_statements(settings))


def _initialise(programs: Path, data: Path) -> None:
    """Run initdb beside the final place, so that an interrupted run leaves nothing that looks complete."""
    fresh = data.with_name(f"{data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (data.parent / "postgres.applied").unlink(missing_ok=True)
    fresh.mkdir(mode=0o700)
    if os.geteuid() == 0:
        owner = _owner(fresh)
        os.chown(fresh, owner.pw_uid, owner.pw_gid)
    options = ["--username=postgres", "--auth-host=scram-sha-256", "--auth-local=reject"]
    options += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
    done = _run([*unprivileged(fresh), programs / "initdb", "-D", fresh, *options])
    if done.returncode:
        raise StackError(f"PostgreSQL's initdb failed:\n{indented(done.stdout)}")
    fresh.rename(data)


def _end_leftover(data: Path) -> None:
    """End a server that outlived its supervisor and cannot be recognised by its environment."""
    pid_file = data / "postmaster.pid"
    if pid_file.exists():
        pid = int(pid_file.read_text().split("\n", 1)[0])
        if str(data) in processes.command_line(pid):
            processes.stop([pid])
        pid_file.unlink(missing_ok=True)


def _statements(settings: Settings) -> list[str]:
    role, database = _identifier(settings["PSQL_USER"]), _identifier(settings["PSQL_DB_NAME"])
    password = settings["PSQL_PASSWORD"].replace("'", "''")
    statements = [
        f"CREATE ROLE {role}",
        f"ALTER ROLE {role} LOGIN CREATEDB PASSWORD '{password}'",
        f"CREATE DATABASE {database} OWNER {role}",
    ]
    if settings.for_tests:  # what lets them empty the tables in any order, past the triggers
        statements.append(f"GRANT SET ON PARAMETER session_replication_role TO {role}")
    return statements


def _apply(settings: Settings, programs: Path, data: Path) -> None:
    single: list[str | Path] = [programs / "postgres", "--single", "-D", data, "postgres"]
    done = _run([*unprivileged(data), *single], "\n".join(_statements(settings)))
    problems = [line for line in re.findall(r"(?:ERROR|FATAL|PANIC):.*", done.stdout) if "already exists" not in line]
    if done.returncode or problems:
        detail = "\n".join(problems) or done.stdout
        raise StackError(f"PostgreSQL's role and database could not be made:\n{indented(detail)}")


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _accepts_login(settings: Settings, programs: Path) -> bool:
    target = ["-h", "127.0.0.1", "-p", settings["PSQL_PORT"], "-U", settings["PSQL_USER"], settings["PSQL_DB_NAME"]]
    password = {"PGPASSWORD": settings["PSQL_PASSWORD"], "PGCONNECT_TIMEOUT": "5"}
    return _run([programs / "psql", "-X", "-w", "-c", "SELECT 1", *target], extra_env=password).returncode == 0


def _run(
    command: Sequence[str | Path], text: str = "", extra_env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**clean_environment(), "LC_ALL": "C", **(extra_env or {})},
    )
