"""Valkey, MinIO and Keycloak."""

import socket
from pathlib import Path
from urllib.parse import urlencode

from ..console import StackError
from ..files import write_private
from ..settings import Settings, shown
from ..toolbox import Tools
from .part import Part, answers_http, http_status

_JAVA_OPENED = ("java.util", "java.util.concurrent", "java.security")


def valkey(settings: Settings, tools: Tools) -> Part:
    """Return Valkey; what it holds survives a restart of the development stack."""
    data = settings.state / "valkey"
    port = settings.port("VALKEY_PORT")
    password = settings["VALKEY_PASSWORD"]
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        "databases 64",  # of which each worker of the tests has two to itself
        "requirepass " + _quoted(password),
        "notify-keyspace-events KEA",
        "dir " + _quoted(str(data)),
        'save ""',
        "appendonly " + ("no" if settings.for_tests else "yes"),
        # Its own title would overwrite the environment, by which stop_dev.sh knows what it may stop.
        "set-proc-title no",
    ]
    configuration = "\n".join(lines) + "\n"
    return Part(
        name="valkey",
        title="Valkey",
        command=[tools.valkey, data / "valkey.conf"],
        ready=lambda: _answers_ping(port, password),
        ports={"VALKEY_PORT": port},
        prepare=lambda: _prepare_valkey(data, configuration),
        version=configuration,
    )


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _prepare_valkey(data: Path, configuration: str) -> None:
    data.mkdir(exist_ok=True)
    write_private(data / "valkey.conf", configuration)


def _answers_ping(port: int, password: str) -> bool:
    words = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n*1\r\n$4\r\nPING\r\n" % (len(password.encode()), password.encode())
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(words)
            answer = b""
            while answer.count(b"\r\n") < 2:
                if not (more := connection.recv(256)):
                    return False
                answer += more
    except OSError:
        return False
    return answer == b"+OK\r\n+PONG\r\n"


def minio(settings: Settings, tools: Tools) -> Part:
    """Return MinIO, with its console."""
    port, console = settings.port("MINIO_PORT"), settings.port("MINIO_CONSOLE_PORT")
    addresses = ["--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{console}"]
    return Part(
        name="minio",
        title="MinIO",
        command=[tools.minio, "server", settings.state / "minio", *addresses],
        ready=lambda: answers_http(port, "/minio/health/ready"),
        ports={"MINIO_PORT": port, "MINIO_CONSOLE_PORT": console},
        environment={
            "MINIO_ROOT_USER": settings["MINIO_ACCESS_KEY"],
            "MINIO_ROOT_PASSWORD": settings["MINIO_SECRET_KEY"],
            "MINIO_UPDATE": "off",
        },
        version=str(tools.minio.stat().st_mtime_ns),
    )


_COMPILE_LESS = [
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
]
"""Ten times the default of each: in a run of the tests the optimizing compiler takes more time than it saves."""


def keycloak(settings: Settings, tools: Tools) -> Part:
    """Return Keycloak, run as its own start script runs it, but without the shell in between."""
    home = settings.state / "keycloak"
    port, management = settings.port("KEYCLOAK_PORT"), settings.port("KEYCLOAK_MANAGEMENT_PORT")
    return Part(
        name="keycloak",
        title="Keycloak",
        command=[
            tools.java,
            *(_COMPILE_LESS if settings.for_tests else ()),
            *_java_options(home),
            "start",
            "--optimized",
            "--cache=local",
            "--http-enabled=true",
            "--hostname-strict=false",
            "--http-host=127.0.0.1",
            f"--http-port={port}",
            f"--http-management-port={management}",
        ],
        ready=lambda: answers_http(management, "/health/ready") and _knows_administrator(settings),
        ports={"KEYCLOAK_PORT": port, "KEYCLOAK_MANAGEMENT_PORT": management},
        environment={
            "KC_BOOTSTRAP_ADMIN_USERNAME": settings["KEYCLOAK_ADMIN_USERNAME"],
            "KC_BOOTSTRAP_ADMIN_PASSWORD": settings["KEYCLOAK_ADMIN_PASSWORD"],
        },
        prepare=lambda: _prepare_keycloak(home, tools.keycloak),
        seconds=180,
        version=str(tools.keycloak.stat().st_mtime_ns),
    )


def _knows_administrator(settings: Settings) -> bool:
    """Return whether the administrator can sign in.

    Raises:
        StackError: Keycloak has another password; it takes the one in the settings at its first start only.
    """
    fields = {
        "grant_type": "password",
        "client_id": "admin-cli",
        "username": settings["KEYCLOAK_ADMIN_USERNAME"],
        "password": settings["KEYCLOAK_ADMIN_PASSWORD"],
    }
    path = f"/realms/{settings['KEYCLOAK_REALM_NAME']}/protocol/openid-connect/token"
    status = http_status(settings.port("KEYCLOAK_PORT"), path, urlencode(fields))
    if status in {400, 401}:
        raise StackError(
            "Keycloak refuses KEYCLOAK_ADMIN_USERNAME and KEYCLOAK_ADMIN_PASSWORD: it has those of its first start.\n"
            f"Put them back into {shown(settings.env_file)}; or stop the stack and remove "
            f"{shown(settings.state / 'keycloak' / 'data')}, and with it all its users."
        )
    return status == 200


def _java_options(home: Path) -> list[str]:
    """Return the options of bin/kc.sh, but for the heap and for what makes a short start."""
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _JAVA_OPENED]
    fork_join = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
    return [
        "-Xms64m",
        "-Xmx768m",
        "-XX:MetaspaceSize=96m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "-Dfile.encoding=UTF-8",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={fork_join}",
        "-Dpicocli.disable.closures=true",
        "-Dquarkus-log-max-startup-records=10000",
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        *opened,
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        str(home / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
    ]


def _prepare_keycloak(home: Path, distribution: Path) -> None:
    """Make a home whose programs are links into the cache and whose `data` folder, with the database, is its own."""
    home.mkdir(exist_ok=True)
    for entry in distribution.iterdir():
        link = home / entry.name
        if entry.name != "data":
            link.unlink(missing_ok=True)
            link.symlink_to(entry)
