"""Follow live events, and go on after an interruption where it stopped: `python follow_events.py workflow endpoint`.

The arguments are events, or families of them; all events without. The place is kept in `last-event-id`.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

PLACE = Path("last-event-id")
MISSED = {"reset": "events were missed: read anew what you show"}


def messages(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Yield the messages of a stream of server-sent events."""
    message: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            message[name] = value.removeprefix(" ")
        elif message:
            yield message
            message = {}


def keep(place: str) -> None:
    """Write the place down so that a program that is killed leaves this one or the one before, never half of it."""
    written = PLACE.with_suffix(".new")
    written.write_text(place)
    written.replace(PLACE)


def follow(http: httpx.Client) -> None:
    """Print events until the stream ends."""
    place = {"Last-Event-ID": PLACE.read_text()} if PLACE.exists() else {}
    with http.stream("GET", "/v1/events", params={"type": sys.argv[1:]}, headers=place) as stream:
        stream.raise_for_status()
        for message in messages(stream.iter_lines()):
            event = message.get("event")
            if event:
                print(event, MISSED.get(event) or json.loads(message["data"]), flush=True)
            if "id" in message:
                keep(message["id"])  # only once the event is handled


headers = {"Authorization": f"Bearer {os.environ['BUDAPP_TOKEN']}"}
timeout = httpx.Timeout(10, read=60)  # a heartbeat comes every 15 s
with httpx.Client(base_url=os.environ["BUDAPP_ADDRESS"], headers=headers, timeout=timeout) as http:
    while True:
        try:
            follow(http)
        except httpx.TransportError as error:
            print("interrupted:", error, file=sys.stderr)
        time.sleep(1)
