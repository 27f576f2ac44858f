"""The command line behind start_dev.sh, stop_dev.sh, run_tests.sh and build_docs.sh."""

import argparse
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from . import docker, env_file, native, settings, site
from .console import StackError, Stopwatch, say
from .machine import ensure_programs
from .python_env import PROJECT_PYTHON, Workshop
from .settings import ROOT, SAMPLE, Settings, shown
from .summary import summary
from .supervise import Supervisor
from .toolbox import programs_of_tests

_INTERRUPTED = 130
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run a command; errors that the user can do something about are printed without a traceback."""
    for number in _STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it
            signal.signal(number, _interrupt)
    arguments = _arguments()
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except StackError as error:
        say(f"\n{error}")
    except PermissionError as error:
        say(f"\n{error.filename} belongs to another user. Be that user, or remove {shown(settings.DEV_STATE)}.")
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = _parser()
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command is not _test:
        parser.error(f"unknown: {' '.join(rest)}; --help tells what there is")
    if rest and arguments.stop:
        parser.error(f"--stop runs no test: leave out {' '.join(rest)}")
    arguments.rest = rest
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)
    for name, script, description, add_options in (
        ("up", "start_dev.sh", _UP, _add_up),
        ("down", "stop_dev.sh", _DOWN, _add_down),
        ("test", "run_tests.sh", _TEST, _add_test),
        ("docs", "build_docs.sh", _DOCS, _add_docs),
    ):
        style = argparse.RawDescriptionHelpFormatter
        command = commands.add_parser(
            name, prog=script, description=description, formatter_class=style, allow_abbrev=False
        )
        add_options(command)
    return parser


_UP = """Start PostgreSQL, Valkey, Keycloak, MinIO, budapp, stand-ins for its peers, and Dapr sidecars.

With Docker where an engine answers, otherwise natively. Settings, including ports, are in .env, which is created from
.env.sample at the first start; variables of the shell are ignored. The native stack keeps its data in .dev and its
builds in $BUDAPP_CACHE_DIR (default: ~/.cache/budapp)."""

_DOWN = """Stop what start_dev.sh started, even after a crash. The data is kept."""

_TEST = """Start the test stack (its own ports, settings and data, in .dev/test) and run pytest against it.

The stack stays up for the next run, except where CI=true; --stop stops it, and runs nothing. All other arguments go to
pytest."""

_DOCS = """Make the site of docs/. It opens from the folder, and needs no internet.

What makes it is fetched once into $BUDAPP_CACHE_DIR (default: ~/.cache/budapp). A broken link, a link to a heading that
is not there, or a page outside the navigation (deploy/docs/mkdocs.yml) is an error."""


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--detach",
        action="store_true",
        help="start in the background, and return when everything is ready",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--native", dest="docker", action="store_false", default=None, help="do not use Docker")
    mode.add_argument("--docker", dest="docker", action="store_true", help="use Docker; fail if no engine answers")
    parser.add_argument("--build", action="store_true", help="rebuild what is in the cache")
    parser.add_argument(
        "--infra-only", action="store_true", help="start without budapp and the stand-ins (native only)"
    )
    parser.add_argument("--test", action="store_true", help="start the test stack instead (native only)")
    parser.set_defaults(command=_up)


def _add_down(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--test", action="store_true", help="stop the test stack instead")
    parser.set_defaults(command=_down)


def _add_test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stop", action="store_true", help="stop the stack, and run no test")
    parser.add_argument("--infra-only", action="store_true", help="do not start budapp and the stand-ins")
    parser.set_defaults(command=_test)


def _add_docs(parser: argparse.ArgumentParser) -> None:
    default = settings.DEV_STATE / "site"
    parser.add_argument("--to", type=Path, default=default, help=f"the folder (default: {shown(default)})")
    parser.add_argument("--serve", metavar="ADDRESS", help="show it at this address, such as 127.0.0.1:8001, instead")
    parser.set_defaults(command=_docs)


def _settings(*, for_tests: bool) -> Settings:
    """Read the settings, from a file that is made now where there is none."""
    path = settings.load(for_tests=for_tests).env_file
    if env_file.create(path, SAMPLE, for_tests=for_tests):
        say(f"{shown(path)} made from {shown(SAMPLE)}, with secrets of its own")
    elif for_tests and (added := env_file.complete_for_tests(path, SAMPLE)):
        say(f"{', '.join(added)} added to {shown(path)}")
    loaded = settings.load(for_tests=for_tests)
    if loaded.missing:
        say(f"{shown(path)} lacks {', '.join(loaded.missing)}; the values of {shown(SAMPLE)} are used")
    return loaded


def _up(arguments: argparse.Namespace) -> int:
    native_only = arguments.test or arguments.infra_only
    loaded = _settings(for_tests=arguments.test)
    if not native_only and docker.wanted(arguments.docker):
        return docker.up(loaded, build=arguments.build, detach=arguments.detach)
    run = native.Run(loaded, Supervisor(loaded))
    try:
        _bring_up(run, infra_only=arguments.infra_only, build=arguments.build)
        return 0 if arguments.detach else _stay(run)
    except StackError:
        if not arguments.detach:
            _undo(run)
        elif run.supervisor.pid():
            say(f"\nWhat has started keeps running; {_stop_command(loaded)} stops it.")
        raise
    except KeyboardInterrupt:
        _undo(run)
        raise


def _bring_up(run: native.Run, *, infra_only: bool, build: bool) -> None:
    watch = Stopwatch()
    with native.exclusive(run.settings):
        native.up(run, infra_only=infra_only, again=build)
    say(f"\nThe {run.settings.name} is ready {watch}\n")
    say(summary(run.settings, infra_only=infra_only))


def _stay(run: native.Run) -> int:
    if not (run.launched_supervisor or run.started):
        say(f"It was running already, and goes on after Ctrl-C; {_stop_command(run.settings)} stops it.")
    else:
        say("Ctrl-C stops what was started here.")
    return native.watch_over(run)


def _undo(run: native.Run) -> None:
    """Stop what this call started, whatever else the user presses."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if run.launched_supervisor or run.started:
        say(f"\nStopping the {run.settings.name}")
        with native.exclusive(run.settings):
            run.undo()
        say("Stopped.")


def _stop_command(loaded: Settings) -> str:
    return f"{shown(settings.DEPLOY / 'stop_dev.sh')}{' --test' if loaded.for_tests else ''}"


def _down(arguments: argparse.Namespace) -> int:
    loaded = settings.load(for_tests=arguments.test)
    stopped = False
    if loaded.state.exists():
        with native.exclusive(loaded):
            stopped = native.stop(loaded)
    if not arguments.test and docker.down(loaded):
        stopped = True
    say(f"The {loaded.name} is stopped." if stopped else f"The {loaded.name} was not running.")
    return 0


def _docs(arguments: argparse.Namespace) -> int:
    shop = Workshop(settings.cache_folder(), settings.DEV_STATE)
    if arguments.serve:
        return site.site(shop).serve(arguments.serve)
    site.build(shop, arguments.to.resolve())
    say(f"The site is in {shown(arguments.to)}: open index.html")
    return 0


def _test(arguments: argparse.Namespace) -> int:
    if arguments.stop:
        return _down(argparse.Namespace(test=True))
    loaded = _settings(for_tests=True)
    run = native.Run(loaded, Supervisor(loaded))
    stop_after = os.environ.get("CI", "").lower() == "true"
    try:
        with native.exclusive(loaded):
            tools = native.up(run, infra_only=arguments.infra_only, again=False)
            programs = programs_of_tests(Workshop(settings.cache_folder(), loaded.logs))
            of_machine = ensure_programs(loaded.logs)
        of_stack = {"DAPRD": tools.daprd, "MINIO": tools.minio, "POSTGRES_BIN": tools.postgres}
        programs = {**{name: str(path) for name, path in of_stack.items()}, **programs, **of_machine}
        return _pytest(loaded, programs, arguments.rest)
    finally:
        if stop_after:
            with native.exclusive(loaded):
                native.stop(loaded)


def _pytest(loaded: Settings, programs: Mapping[str, str], rest: Sequence[str]) -> int:
    """Run pytest; some tests start programs of their own, and find them by these variables."""
    workers = str(2 * len(os.sched_getaffinity(0)))  # a test waits for stores more than it computes
    command: list[str | Path] = [PROJECT_PYTHON, "-m", "pytest", "-n", workers, "--dist", "worksteal", *rest]
    environment = {**os.environ, "BUDAPP_ENV_FILE": str(loaded.env_file), **programs}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling all modules again takes each worker seconds
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
