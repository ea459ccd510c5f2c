"""What a raw reply shows of entries."""

from typing import Any, NamedTuple

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.log.entry import Header, PartInfo


class Part(NamedTuple):
    """One part, with its place."""

    entry: int
    info: PartInfo
    value: bytes


def parts(reply: Any, index: int | None = None, slot: int | None = None) -> list[Part]:
    """Of one entry, of one slot, or all."""
    found = [
        Part(shown.index, Header.from_bytes(shown.header).parts[part.number], part.value)
        for shown in reply.entries for part in shown.parts
    ]  # fmt: skip
    return [part for part in found if index in (None, part.entry) and slot in (None, part.info.slot)]


def labels(reply: Any, index: int | None = None, slot: int | None = None) -> set[str]:
    return {part.info.label.name for part in parts(reply, index, slot)}


def value_of(reply: Any, label: Label, index: int) -> bytes:
    [found] = [part.value for part in parts(reply, index) if part.info.label is label]
    return found
