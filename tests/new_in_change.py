"""Name the tests that a change brings, for pytest: `python -m tests.new_in_change [commit before it]`.

CI runs them five times in one go (`--times 5`): a test that finds what it left itself fails then.
"""

import re
import subprocess
import sys
from collections.abc import Iterator

MOST = 12
"""A change that brings more is tried by a sample: CI keeps its time however large it is."""

_FILE = re.compile(r"^\+\+\+ b/(tests/.*/?test_\w+\.py)$")
_TEST = re.compile(r"^\+(?:async )?def (test_\w+)\(")


def new_tests(difference: str) -> Iterator[str]:
    """Yield the tests whose first line is new in the difference, as `file::name`."""
    file: str | None = None
    for line in difference.splitlines():
        if line.startswith("+++ "):
            found = _FILE.match(line)
            file = found[1] if found else None
        elif file is not None and (test := _TEST.match(line)):
            yield f"{file}::{test[1]}"


def sample(tests: list[str]) -> list[str]:
    """Return at most `MOST` of the tests, from all over the change."""
    step = max(1, -(-len(tests) // MOST))
    return tests[::step]


def main(arguments: list[str]) -> int:
    """Print the tests, a line each; none where there is no commit to compare with."""
    before = arguments[0] if arguments else "HEAD~1"
    command = ["git", "diff", "--unified=0", "--no-color", before, "--", "tests"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"Nothing to compare with: {done.stderr}")
        return 0
    sys.stdout.writelines(f"{test}\n" for test in sample(list(dict.fromkeys(new_tests(done.stdout)))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
