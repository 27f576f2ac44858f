"""The stack in containers, where a Docker engine answers."""

import os
import subprocess
import time
from collections.abc import Sequence

from .console import StackError, Stopwatch, say
from .python_env import answers
from .settings import DEPLOY, ROOT, SAMPLE, Settings, shown
from .summary import summary

COMPOSE_FILE = DEPLOY / "docker-compose-dev.yaml"


def wanted(choice: bool | None) -> bool:
    """Return whether to use Docker: as chosen on the command line, otherwise where it is usable."""
    if choice is False:
        return False
    usable = _usable()
    if choice and not usable:
        raise StackError("No Docker engine answers `docker info`, or `docker compose` is missing. Leave out --docker.")
    return usable


def up(settings: Settings, *, build: bool, detach: bool) -> int:
    """Start the containers, and stop them at Ctrl-C unless detached."""
    watch = Stopwatch()
    if _compose(settings, "up", "--detach", "--wait", *(["--build"] if build else [])):
        raise StackError(f"The containers did not start. Their logs: {_words(settings, 'logs')}")
    say(f"\nThe stack is ready {watch}\n\n{summary(settings, infra_only=False)}")
    if detach:
        return 0
    say("Ctrl-C stops the containers.")
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt:
        _compose(settings, "stop")
        raise


def down(settings: Settings) -> bool:
    """Stop the containers; return whether there were any."""
    if not settings.env_file.exists() or not _usable():
        return False
    listed = subprocess.run(_command(settings, "ps", "--quiet"), capture_output=True, check=False)
    return bool(listed.stdout.strip()) and _compose(settings, "stop") == 0


def _usable() -> bool:
    return answers("docker", "info") and answers("docker", "compose", "version")


def _command(settings: Settings, *words: str) -> Sequence[str]:
    """Return a command; what the settings' file lacks comes from the sample."""
    files = [word for path in (SAMPLE, settings.env_file) for word in ("--env-file", str(path))]
    return ["docker", "compose", "--file", str(COMPOSE_FILE), *files, *words]


def _words(settings: Settings, *words: str) -> str:
    return f"docker compose --file {shown(COMPOSE_FILE)} --env-file {shown(settings.env_file)} {' '.join(words)}"


def _compose(settings: Settings, *words: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in settings.values}
    return subprocess.run(_command(settings, *words), cwd=ROOT, env=environment, check=False).returncode
