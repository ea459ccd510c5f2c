"""What an officer reads at the desk: the carnet, its general list, what happened, who signed (ACC-22, ACC-23, N-03).

Whatever a person wrote is shown as text: never as markup, a control or a line of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eata_host.words import shown
from eata_ledger.carnet.dates import iso
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Flag
from eata_ledger.state import Transaction
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from eata_clients.authoring.clearing import Decision
from eata_clients.authoring.content import Goods, Remarks
from eata_clients.customs.scanned import Scanned
from eata_clients.customs.verdict import Verdict, Word
from eata_clients.zones import local_time

STYLE = {Word.GO: "bold white on green", Word.LOOK: "bold black on yellow", Word.STOP: "bold white on red"}
SHAPE = {Word.GO: "● ", Word.LOOK: "▲ ", Word.STOP: "■ "}
_COLUMNS = ("item", "pieces", "description", "origin", "value", "weight", "marks")


def check(scanned: Scanned, found: Verdict, day: int, test_territory: bool) -> Panel:
    """Step 2: the word, whose carnet it is, what is new since the last crossing."""
    carnet, presented, content = scanned.carnet, scanned.presented, scanned.content
    left = carnet.valid_until - day
    body = Text()

    def line(text: str, style: str = "") -> None:
        body.append(shown(text) + "\n", style)

    body.append(f" {SHAPE[found.word]}{found.word} ", STYLE[found.word])
    line(f"  {found.sentence} {found.advice}" if found.word is not Word.GO else f"  {found.sentence}")
    if found.code:
        line(found.code, "dim")
    left_behind = f", not returned {presented.not_returned}" if presented.not_returned else ""
    line(f"{presented.kind.name} of items {presented.items}{left_behind}", "bold")
    line(f"{carnet.number} (ID {carnet.carnet_id}), {carnet.type.name}, issued by {carnet.issuer}")
    for mark in marks(scanned, test_territory):
        line(mark, "bold yellow")
    line(f"holder: {content.holder}")
    if content.representatives:
        line(f"representatives: {'; '.join(content.representatives)}")
    line(f"use: {content.intended_use}")
    line(f"{content.worth}, {carnet.items} items, valid until {iso(carnet.valid_until)} ({left} days)")
    line(f"valid in {', '.join((carnet.home, *carnet.box_p))}")
    line(signed(scanned))
    for text in declared(scanned):
        line(text)
    line(scanned.agreed.standing, "dim" if scanned.agreed.sure else "bold yellow")
    for name in scanned.agreed.differing:
        line(f"{name} tells otherwise: kept as evidence", "bold red")
    for relation, number in scanned.links:
        line(f"{relation.lower().replace('_', ' ')} {number}")
    more = [
        f"{len(scanned.history)} transactions" if scanned.history else "",
        f"{len(scanned.incidents)} incidents" if scanned.incidents else "",
        f"{len(scanned.documents)} documents" if scanned.documents else "",
    ]
    if any(more):
        line(f"before: {', '.join(filter(None, more))} (t, d)", "dim")
    body.append(shown(_new_since(scanned)))
    return Panel(body, title=f"carnet {carnet.carnet_id}", expand=False)


def marks(scanned: Scanned, test_territory: bool) -> list[str]:
    """TEST and paper, wherever the carnet is shown (GTP-16, C-11)."""
    carnet = scanned.carnet
    found = []
    if carnet.test or test_territory:
        why = "the carnet is one" if carnet.test else "the territory is not digital yet: paper counts"
        found.append(f"TEST: no legal effect ({why})")
    if scanned.paper:
        found.append("PAPER: a paper carnet goes with it")
    return found


def signed(scanned: Scanned) -> str:
    """Who signed: a device, known by its key; the signature is consent, not proof of identity (N-03)."""
    if scanned.state.signed is None:
        return "not signed by the holder"
    return f"signed by the holder at ledger index {scanned.state.signed}; declared at {scanned.declared_in[0]}"


def declared(scanned: Scanned) -> list[str]:
    """The private part of the declaration, and to whom it was lent."""
    details, found = scanned.details, []
    for name in ("departure", "destination", "transport", "packaging", "remarks"):
        if text := getattr(details, name):
            found.append(f"{name}: {text}")
    if scanned.lent is not None:
        found.append(f"lent to {scanned.lent.content.name} {scanned.lent.content.identification}".rstrip())
    return found


def _new_since(scanned: Scanned) -> str:
    last = scanned.last
    if last is None:
        return "First crossing."
    declared = scanned.presented.items | scanned.presented.not_returned
    before = last.items | last.not_returned
    if declared == before:
        return f"The same items as {last.kind.name} at {last.office}."
    more, fewer = declared - before, before - declared
    parts = [
        f"new since {last.kind.name} at {last.office}: {more}" if more else "",
        f"missing: {fewer}" if fewer else "",
    ]
    return "; ".join(part for part in parts if part) + "."


@dataclass
class Pages:
    """A general list, or the declared part of it, a page at a time, searched by any of its words."""

    scanned: Scanned
    items: Items
    size: int
    marked: dict[int, str] = field(default_factory=dict)
    wanted: str = ""
    page: int = 0

    @property
    def lines(self) -> Sequence[Goods]:
        words = self.wanted.casefold().split()
        return [
            line
            for line in self.scanned.content.goods
            if line.item in self.items and all(word in _text(line, self.scanned).casefold() for word in words)
        ]

    def turn(self, said: str) -> bool:
        """`n` next, `p` back, `/WORDS` search, `/` all again. False for anything else."""
        last = max(len(self.lines) - 1, 0) // self.size
        if said == "n":
            self.page = min(self.page + 1, last)
        elif said == "p":
            self.page = max(self.page - 1, 0)
        elif said.startswith("/"):
            self.wanted, self.page = said[1:].strip(), 0
        else:
            return False
        return True

    def table(self) -> Table:
        """Step 3: a page of lines, with the total of all."""
        content, lines = self.scanned.content, self.lines
        table = Table(expand=False)
        for name in _COLUMNS:
            table.add_column(name, justify="right" if name in ("item", "pieces", "value") else "left")
        first = self.page * self.size
        for line in lines[first : first + self.size]:
            table.add_row(
                str(line.item), str(line.pieces), Text(shown(line.description)), Text(shown(line.origin)),
                content.amount(line.value), Text(shown(line.weight)), Text(shown(self._marks(line.item))),
            )  # fmt: skip
        pages = -(-len(lines) // self.size)
        if pages > 1:
            table.add_row("", "", f"page {self.page + 1} of {pages}: n next, p back, /words search", "", "", "", "")
        total = sum(line.value for line in lines)
        pieces, worth = str(sum(line.pieces for line in lines)), content.amount(total)
        table.add_row("", pieces, f"total of {len(lines)} items", "", worth, "", "")
        return table

    def _marks(self, item: int) -> str:
        """What Customs has written of an item: here and now, else before in this territory."""
        return self.marked[item] if item in self.marked else self.scanned.mark(item)


def accounted(scanned: Scanned, decision: Decision) -> str:
    """What becomes of the declared items, none passed over in silence."""
    presented = scanned.presented
    missing = (presented.items | presented.not_returned) - decision.items - decision.not_returned
    said = [f"items {decision.items}" if decision.items else "no items"]
    said += [f"not returned {decision.not_returned}"] if decision.not_returned else []
    said += [f"declared and left out: {missing}"] if missing else []
    return "; ".join(said)


def _text(line: Goods, scanned: Scanned) -> str:
    return f"{line.item} {line.description} {line.origin} {line.weight} {scanned.content.amount(line.value)}"


def history(scanned: Scanned) -> list[str]:
    """Everything the territory may see, a line each with what was said below: transactions, then what happened around
    them (ACC-22, ACC-25, N-04, N-05, U12)."""
    lines = list[str]()
    for row, foil in scanned.history:
        what = row.kind.name + (" CANCELLED" if row.cancelled is not None else "") + _flags(row)
        items = f"items {row.items}" + (f", not returned {row.not_returned}" if row.not_returned else "")
        items += f", processed {row.processed}" if row.processed else ""
        items += "" if row.final_day is None else f", until {iso(row.final_day)}"
        items += "" if foil is not None else " (counterfoil sealed)"
        place, when = f"{row.territory} {row.office}", local_time(row.event_time, row.offset)
        lines.append(f"{row.index:>6} {when} {what} at {place}: {items}")
        lines += _said(scanned.said.get(row.index))
        lines += [f"         the holder disagrees: {note}" for note in scanned.notes.get(row.index, ())]
    for incident in scanned.incidents:
        place, when = f"{incident.territory} {incident.office or ''}", local_time(incident.event_time, incident.offset)
        lines.append(f"{incident.index:>6} {when} {incident.type.name} at {place.strip()}")
        lines += _said(scanned.said.get(incident.index))
    return lines or ["Nothing has happened yet."]


def _flags(row: Transaction) -> str:
    named = ((Flag.TEST, "TEST"), (Flag.PAPER_PRESENTED, "PAPER"), (Flag.LATE, "LATE"))
    return "".join(f" {name}" for flag, name in named if row.flags & flag)


def said_of(found: Remarks) -> dict[str, str]:
    """Step 4's sealed fields that are not blank, by name (ACC-25)."""
    fields = {
        "reference": found.reference, "remarks": found.remarks, "reason": found.reason,
        "examined": "" if found.examined is None else "yes" if found.examined else "no", "seals": found.seals,
        "action, not re-exported": found.not_reexported, "action, not produced": found.not_produced,
        "inspected": str(found.sample) if found.sample else "", "marks": found.marks,
    }  # fmt: skip
    return {name: text for name, text in fields.items() if text}


def _said(found: Remarks | None) -> list[str]:
    said = {} if found is None else said_of(found)
    return [f"         {name}: {text}" for name, text in said.items()]
