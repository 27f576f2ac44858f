"""The alert rules are valid, and fire when they should and not before: said by Prometheus' own promtool."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("words", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")])
def test_promtool_is_content(root: Path, words: tuple[str, ...]) -> None:
    promtool = os.environ.get("PROMTOOL")
    if promtool is None:
        pytest.fail("PROMTOOL must say where promtool is; deploy/run_tests.sh does")
    folder = root / "deploy" / "observability"
    done = subprocess.run([promtool, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried(root: Path) -> None:
    folder = root / "deploy" / "observability"
    alerts = [
        line.split(":")[1].strip() for line in (folder / "alerts.yaml").read_text().splitlines() if "alert:" in line
    ]
    tried = (folder / "alerts_test.yaml").read_text()
    assert len(alerts) > 3
    assert [name for name in alerts if f"alertname: {name}" not in tried] == []
