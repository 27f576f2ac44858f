"""The page itself: plain HTML, with no script and nothing from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape

from budapp.status_ops.services import Status

_STYLE = (
    "body{font:15px system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #ddd;padding:.3rem .5rem;text-align:left;vertical-align:top}"
    ".bad{color:#b00020;font-weight:600}.good{color:#116611}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}td,th{border-color:#333}"
    ".bad{color:#ff8a8a}.good{color:#8fd18f}}"
)
_NUMBERS = (
    ("Messages that wait in the outbox", "outbox_waiting", False),
    ("Age of the oldest of them, in seconds", "outbox_seconds", False),
    ("Messages that failed at least once", "outbox_failing", True),
    ("Messages given up", "outbox_dead", True),
    ("Events to be handled again", "inbox_waiting", True),
    ("Events set aside", "inbox_dead", True),
    ("Open workflows", "workflows_open", False),
    ("Workflows that a service works on", "workflows_running", False),
    ("Workflows past their deadline", "workflows_stuck", True),
)
"""What a number is, which it is, and whether anything but 0 is bad."""


def render(status: Status) -> str:
    """Return the page; every text from elsewhere is escaped."""
    numbers = status.numbers
    parts = [
        f"<h1>budapp {escape(status.version)}</h1><p>{status.at:%Y-%m-%d %H:%M:%S} UTC</p>",
        _table("Dependencies", ("Name", "State"), ((name, _state(up == "up", up)) for name, up in _sorted(status))),
        _table(
            "Messages, events and workflows",
            ("What", "Now"),
            ((title, _state(not bad or not getattr(numbers, name), _whole(getattr(numbers, name))))
             for title, name, bad in _NUMBERS),
        ),
        _gateway(status),
        _table(
            "Jobs",
            ("Name", "Last run", "Next run", "Runs now"),
            (
                (escape(job.name), f"{job.modified_at:%m-%d %H:%M:%S}", f"{job.due_at:%m-%d %H:%M:%S}",
                 "yes" if job.lock_expires_at and job.lock_expires_at > status.at else "")
                for job in status.jobs
            ),
        ),
        _table(
            "What failed last",
            ("When", "What", "Why"),
            ((f"{one.at:%m-%d %H:%M:%S}", f"{escape(one.kind)}: {escape(one.what)}", escape(one.why or ""))
             for one in status.errors),
        ),
    ]  # fmt: skip
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}<title>budapp</title></head><body>{''.join(parts)}</body></html>"


def _sorted(status: Status) -> list[tuple[str, str]]:
    return sorted((escape(name), state) for name, state in status.dependencies.items())


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _state(good: bool, text: str) -> str:
    return f"<span class={'good' if good else 'bad'}>{escape(text)}</span>"


def _gateway(status: Status) -> str:
    found = status.gateway
    if found is None:
        rows = [("Compared with PostgreSQL", _state(False, "Valkey did not answer in time"))]
    else:
        rows = [(name.capitalize(), _state(not count, str(count))) for name, count in found.model_dump().items()]
    return _table("Entries of the gateway's tables", ("Difference", "Entries"), rows)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are HTML."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines) or "<tr><td>Nothing</td></tr>"
    return f"<h2>{title}</h2><table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{body}</table>"
