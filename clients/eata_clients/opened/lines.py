"""How lists look in a terminal: a shape beside every colour, bars for counts, one line an event."""

import json
from typing import Any

from eata_host.words import shown
from eata_ledger.encoding import Malformed, decode
from eata_ledger.named import named
from eata_proto.v1 import lists_pb2

_TRANSIT = {"IN_PROGRESS": "◐", "CLOSED_IN_DUE_TIME": "●", "EXPIRED": "✗"}


def transit_mark(state: str) -> str:
    """Orange, green and red as shapes (never colour alone), with the word."""
    return f"{_TRANSIT.get(state, '?')} {state:<18}"


def bars(counts: dict[str, int], width: int = 40) -> list[str]:
    """A bar for each name."""
    most = max(counts.values(), default=0)
    return [f"  {name:<14} {count:>6} {'█' * max(1, count * width // most)}" for name, count in counts.items()]


def told(event: lists_pb2.Event) -> dict[str, Any]:
    """An event's facts by name. Raises `Malformed`."""
    if event.type == "SECOND_PRESENTATION":
        names = ("slot", "first_office", "first_time", "second_office", "second_time")
        return dict(zip(names, decode(event.facts), strict=True))  # type: ignore[arg-type]
    return named(decode(event.facts))


def event_line(event: lists_pb2.Event, as_json: bool) -> str:
    """One line an event; with --json one object a line."""
    try:
        facts = told(event)
    except Malformed:
        facts = None
    if not as_json:
        return shown(f"{event.index:>6} {event.type:<14} carnet {event.carnet_id} {json.dumps(facts)}")
    return json.dumps(
        {"index": event.index, "type": event.type, "carnet_id": event.carnet_id, "log_time": event.log_time,
         "facts": facts, "entry": event.entry_hash.hex(), "live": event.live}
    )  # fmt: skip
