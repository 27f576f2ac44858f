"""The pages that stand-ins show to a person."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peers.control import Request, WorkRecord
    from peers.faults import Fault

SHOWN = 100


def frame(title: str, body: str) -> str:
    """Return a whole page; `body` is HTML."""
    return _PAGE.format(title=escape(title), body=body)


def activity(name: str, requests: Iterable["Request"], work: Iterable["WorkRecord"], faults: Iterable["Fault"]) -> str:
    """Return the page of what a stand-in was asked and does, the newest first."""
    parts = [
        *(
            f"<h2>To do wrong</h2><pre>{escape(fault.model_dump_json(indent=2, exclude_defaults=True))}</pre>"
            for fault in faults
        ),
        "<h2>Work</h2>",
        *(_work(record) for record in list(work)[: -SHOWN - 1 : -1]),
        "<h2>Requests</h2>",
        *(_request(request) for request in list(requests)[: -SHOWN - 1 : -1]),
    ]
    return frame(f"Stand-in for {name}", "\n".join(parts))


def _work(work: "WorkRecord") -> str:
    rows: Sequence[str] = [
        f"<tr><td>{event.sent_at:%H:%M:%S}</td><td>{escape(event.event)}</td><td>{escape(event.status)}</td>"
        f"<td>{escape(event.title)}: {escape(event.message)}</td></tr>"
        for event in work.events
    ]
    failure = f"<p>{escape(work.error)}</p>" if work.error else ""
    return (
        f"<h3>{escape(work.type)}, {escape(work.status)}</h3>"
        f"<p>{work.started_at:%Y-%m-%d %H:%M:%S} UTC, {escape(work.workflow_id)} for workflow "
        f"{escape(work.workflow_of_caller or 'none')}</p>{failure}<table>{''.join(rows)}</table>"
    )


def _request(request: "Request") -> str:
    query = f"?{request.query}" if request.query else ""
    body = escape(json.dumps(request.body, indent=2, ensure_ascii=False)) if request.body is not None else ""
    return (
        f"<h3>{escape(request.method)} {escape(request.path)}{escape(query)}</h3>"
        f"<p>{request.received_at:%Y-%m-%d %H:%M:%S} UTC</p>{f'<pre>{body}</pre>' if body else ''}"
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 0; }}
h3 {{ font-size: 1rem; margin: 1.5rem 0 0; }}
p {{ color: #555; margin: 0.2rem 0; }}
pre {{ background: #f4f4f4; padding: 0.8rem; overflow-x: auto; }}
td {{ padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""
