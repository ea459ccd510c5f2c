"""What an officer types at the goods and at the commit, field by field, each with its kind (ACC-24, ACC-25)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eata_host.words import written
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import ARRIVALS, RETURNS, Flag, Kind
from eata_ledger.encoding import Malformed

from eata_clients.authoring.clearing import Decision

_ALL = frozenset(Kind)


@dataclass(frozen=True)
class TypedField:
    """One field: the word before it, what it is, of which kinds, and how it goes into the decision."""

    word: str
    about: str
    kinds: frozenset[Kind]
    into: Callable[[Decision, str], Decision]


def _remark(name: str) -> Callable[[Decision, str], Decision]:
    def into(decision: Decision, text: str) -> Decision:
        changed: dict[str, Any] = {name: written(text)}
        return replace(decision, remarks=replace(decision.remarks, **changed))

    return into


def _examined(decision: Decision, text: str) -> Decision:
    answers = {"y": True, "yes": True, "n": False, "no": False}
    if text.lower() not in answers:
        raise Malformed("examined is y or n")
    return replace(decision, remarks=replace(decision.remarks, examined=answers[text.lower()]))


def _mark(decision: Decision, text: str) -> Decision:
    number, _, words = text.partition(" ")
    items = [*(Items.parse(number) & (decision.items | decision.not_returned))]
    if len(items) != 1:
        raise Malformed("a mark is an item number of these goods, then the mark")
    item, said = items[0], decision.remarks
    return replace(decision, remarks=replace(said, item_marks={**said.item_marks, item: written(words.strip())}))


def _items(text: str) -> Items:
    return Items() if text.lower() == "none" else Items.parse(text)


def _not_returned(decision: Decision, text: str) -> Decision:
    """Typed again it begins anew from what was declared; `none` takes it back."""
    left = _items(text)
    return replace(decision, not_returned=left, items=(decision.items | decision.not_returned) - left)


AT_THE_GOODS = (
    TypedField("x", "items not returned (home use), or none", RETURNS, _not_returned),
    TypedField("w", "items processed abroad, or none", frozenset({Kind.REIMPORTATION}), lambda d, text: replace(d, processed=_items(text))),
    TypedField("m", "ITEM and its mark", _ALL, _mark),
)  # fmt: skip
AT_THE_COMMIT = (
    TypedField("f", "final date, or none", frozenset({*ARRIVALS, Kind.EXPORTATION}), lambda d, text: replace(d, final_day=None if text.lower() == "none" else day_of(text))),
    TypedField("ref", "reference", _ALL, _remark("reference")),
    TypedField("rem", "remarks", _ALL, _remark("remarks")),
    TypedField("exam", "examined y or n", frozenset({Kind.VALIDATION}), _examined),
    TypedField("seals", "seals applied", frozenset({Kind.TRANSIT_OPEN}), _remark("seals")),
    TypedField("b", "action, goods produced and not re-exported", frozenset({Kind.REEXPORTATION}), _remark("not_reexported")),
    TypedField("c", "action, goods not produced", frozenset({Kind.REEXPORTATION}), _remark("not_produced")),
)  # fmt: skip


def take(fields: tuple[TypedField, ...], kind: Kind, decision: Decision, said: str) -> Decision | None:
    """The decision with one more field; None where no field begins so. Raises `Malformed` for what does not belong there."""
    word, _, text = said.partition(" ")
    for one in fields:
        if word.lower() == one.word and text.strip():
            if kind not in one.kinds:
                raise Malformed(f"{one.about}: not of {kind.name}")
            found = one.into(decision, text.strip())
            type(found.remarks).from_value(found.remarks.to_value())  # its lengths
            return found
    return None


def only_there(decision: Decision) -> Decision:
    """Nothing is said of items that the decision does not name any more."""
    there = decision.items | decision.not_returned
    marks = {item: mark for item, mark in decision.remarks.item_marks.items() if item in there}
    remarks = replace(decision.remarks, item_marks=marks)
    return replace(decision, processed=decision.processed & decision.items, remarks=remarks)


def with_flag(decision: Decision, flag: Flag) -> Decision:
    """A paper carnet was presented, or not after all: typed again it is taken back."""
    return replace(decision, flags=decision.flags ^ flag)


def offered(fields: tuple[TypedField, ...], kind: Kind) -> str:
    """What can be typed for this kind, on one line."""
    return " · ".join(f"{one.word} {one.about}" for one in fields if kind in one.kinds)
