"""Write the pages of docs/reference: `python -m tests.reference`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy"), str(ROOT / "clients" / "python" / "src")]  # as pytest has it

from tests.reference.pages import FOLDER, PAGES  # noqa: E402

for name, render in PAGES.items():
    (FOLDER / name).write_text(render())
