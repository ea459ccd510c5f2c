"""The officer's terminal, step by step: scan, verdict, goods, commit. A wedge scanner types the code and Enter.

An unchanged declaration takes three Enters: verdict read, goods read, commit.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from eata_ledger.carnet.dates import day_of, iso, local_day
from eata_ledger.carnet.items import Items
from eata_ledger.carnet.vocabulary import Warning
from eata_ledger.encoding import Malformed, decode
from eata_ledger.proof.qr import read_code
from eata_ledger.seal.codes import CodeKind
from eata_proto.v1 import lists_pb2
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.authoring.content import remarks
from eata_clients.customs import CustomsClient
from eata_clients.errors import EataError
from eata_clients.faults import Fault
from eata_clients.lists import Lists, follow
from eata_clients.receipts import Committed
from eata_clients.scanned import Scanned
from eata_clients.transport import Transport, now
from eata_clients.verdict import Verdict, Word, verdict
from eata_clients.words import shown
from eata_clients.zones import clock_differs

_STYLE = {Word.GO: "bold white on green", Word.LOOK: "bold black on yellow", Word.STOP: "bold white on red"}
_SHAPE = {Word.GO: "● ", Word.LOOK: "▲ ", Word.STOP: "■ "}
_SHOWN = 12
_SETTLE_SECONDS = 3.0
_HELP = """Scan a code, or type “ID CODE”. Then Enter, Enter, Enter.
 at the verdict   r reject   h hold   q back
 at the goods     1-10,12 these items   s 5 draw five to inspect   q back
 at the commit    f 2026-12-31 final date   ref TEXT reference   q back
 at the scan      l last transactions   o on hold   ? this help   q quit"""

Ask = Callable[[str], Awaitable[str]]


class Left(Exception):
    """The officer went back to the scan."""


@dataclass
class Counter:
    """One officer's session. `ask` shows a prompt and gives the line that was typed or scanned."""

    client: CustomsClient
    lists: Lists
    transport: Transport
    desk: Desk
    console: Console
    ask: Ask
    _alerts: list[str] = field(default_factory=list)
    _prompt: str = ""

    async def run(self) -> None:
        """Until q or the end of input."""
        beside = [asyncio.create_task(self._watch()), asyncio.create_task(self._settle())]
        office = await self.client.office()
        self._say(f"{office.name} ({self.desk.office}, {office.territory}). ? for help.", "bold")
        if differs := clock_differs(office, now()):
            self._say(differs, "yellow")
        try:
            while True:
                try:
                    line = (await self._line("scan ▸ ")).strip()
                    if line.lower() in ("q", "quit", "exit"):
                        return
                    await self._choose(line)
                except Left:
                    continue
                except (Fault, Malformed) as error:
                    self._failed(error)
        except EOFError:
            return
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    def _say(self, text: str, style: str = "") -> None:
        """One line; nothing that anybody wrote is markup, a control or a line of its own."""
        self.console.print(Text(shown(text), style=style))

    async def _line(self, prompt: str) -> str:
        self._prompt = prompt
        while self._alerts:
            self._say(f"! {self._alerts.pop(0)}", "bold yellow")
        return await self.ask(prompt)

    async def _choose(self, line: str) -> None:
        match line.lower():
            case "":
                return
            case "?":
                for text in _HELP.splitlines():
                    self._say(text)
            case "l":
                await self._last()
            case "o":
                for held in await self.lists.holds():
                    self._say(f"  {held.number} {held.hold.office}: {held.reason or '(sealed)'}")
            case _:
                await self._process(line)

    # -- the five steps

    async def _process(self, line: str) -> None:
        scanned = await self.client.scan(read_code(line, CodeKind.TRANSACTION))
        day = local_day(*await self.client.clock())
        decision = Decision(scanned.presented.items, scanned.presented.not_returned)
        found = await self._verdict(scanned, decision, day)
        self.console.print(_check(scanned, found, day))
        if found.word is Word.STOP and found.code == "HELD_IN_TERRITORY" and await self._offer_release(scanned):
            return await self._process(line)
        await self._decided(scanned, found)
        decision = await self._goods(scanned, decision)
        decision = await self._reason(scanned, decision, day)
        decision = await self._last_look(decision)
        await self._commit(scanned, decision)
        return None

    async def _verdict(self, scanned: Scanned, decision: Decision, day: int) -> Verdict:
        home = (await self.client.registry()).territories.get(scanned.carnet.home)
        since = None if home is None else home.digital_from
        return verdict(scanned, decision, day, since is not None and since <= scanned.carnet.issued)

    async def _offer_release(self, scanned: Scanned) -> bool:
        """Rescanning by the office that holds it opens the wizard again (ACC-42)."""
        held = scanned.hold
        if held is None or held.office != self.desk.office:
            return False
        if (await self._line("held by this office; y releases ▸ ")).strip().lower() != "y":
            raise Left
        await self.client.release(scanned.carnet.carnet_id)
        self._say("Released.")
        return True

    async def _decided(self, scanned: Scanned, found: Verdict) -> None:
        said = (await self._line("Enter goods · r reject · h hold ▸ ")).strip().lower()
        if said == "r":
            done = await self.client.reject(scanned, await self._required("why ▸ "))
            self._say(f"Rejected, ledger index {done.index}; the voucher stays good.")
            raise Left
        if said == "h":
            done = await self.client.hold(scanned.carnet.carnet_id, await self._required("why ▸ "))
            self._say(f"Held in this territory, ledger index {done.index}.")
            raise Left
        if said or found.word is Word.STOP:
            raise Left

    async def _required(self, prompt: str) -> str:
        """What must be typed; q goes back."""
        while not (text := (await self._line(prompt)).strip()):
            self._say("A reason is needed; q goes back.")
        if text.lower() == "q":
            raise Left
        return text

    async def _goods(self, scanned: Scanned, decision: Decision) -> Decision:
        self.console.print(_goods(scanned, decision.items | decision.not_returned))
        while True:
            said = (await self._line("Enter accept · items · s N sample ▸ ")).strip()
            if not said:
                return decision
            if said.lower() == "q":
                raise Left
            if said.lower().startswith("s"):
                wanted = said[1:].strip()
                count = int(wanted) if wanted.isdecimal() and len(wanted) < 6 else 3
                drawn = await self.client.sample(scanned, count)
                self._say(f"Inspect items {drawn}.")
                decision = replace(decision, remarks=replace(decision.remarks, sample=drawn))
                continue
            typed = self._typed_items(said, Items.span(1, scanned.carnet.items))
            if typed is not None:
                decision = replace(decision, items=typed)
                self.console.print(_goods(scanned, decision.items | decision.not_returned))

    def _typed_items(self, said: str, listed: Items) -> Items | None:
        """What was typed, if the carnet lists all of it; else it is said, and asked again."""
        try:
            typed = Items.parse(said)
        except Malformed as error:
            self._say(f"■ {error}.", "bold red")
            return None
        if not typed or typed - listed:
            self._say(f"■ {typed - listed or 'Nothing'}: not on this carnet, which lists items {listed}.", "bold red")
            return None
        return typed

    async def _reason(self, scanned: Scanned, decision: Decision, day: int) -> Decision:
        warned = scanned.warnings(decision, day)
        if not warned:
            return decision
        self._say(f"▲ {', '.join(warned)}", "yellow")
        reason = await self._required("reason ▸ ")
        return replace(
            decision, acknowledged=tuple(sorted(Warning[name] for name in warned)),
            remarks=replace(decision.remarks, reason=reason),
        )  # fmt: skip

    async def _last_look(self, decision: Decision) -> Decision:
        while True:
            said = (await self._line("Enter commit · f DATE · ref TEXT ▸ ")).strip()
            if not said:
                return decision
            if said.lower() == "q":
                raise Left
            if said.lower().startswith("f "):
                try:
                    decision = replace(decision, final_day=day_of(said[2:].strip()))
                except Malformed as error:
                    self._say(f"■ {error}.", "bold red")
            elif said.lower().startswith("ref "):
                kept = decision.remarks
                decision = replace(
                    decision, remarks=remarks(said[4:].strip(), kept.remarks, kept.reason, sample=kept.sample)
                )
            else:
                self._say("Enter commits; q goes back.")

    async def _commit(self, scanned: Scanned, decision: Decision) -> None:
        started = time.perf_counter()

        def say(done: Committed) -> None:
            ms = (time.perf_counter() - started) * 1000
            mark, style = ("●", "bold green") if done.final else ("▲", "bold yellow")
            said = f"{mark} {done.standing}, {ms:.0f} ms"
            self._say(f"{said} (ledger index {done.index})", style)

        done = await self.client.commit(scanned, decision, told=say)
        say(done)
        if not done.final:
            self._say(await self.client.until_final(), "yellow")
        elif done.verification:
            self._say(f"Verification code for the holder: {done.verification}")

    # -- beside the steps

    async def _settle(self) -> None:
        """What was only ordered turns green by itself, once enough nodes are back."""
        while True:
            await asyncio.sleep(_SETTLE_SECONDS)
            if not self.client.waiting():
                continue
            with contextlib.suppress(EataError):  # still too few: the next look finds more
                for entry, outcome in await self.client.resend():
                    what = f"voucher {getattr(entry.header.body, 'slot', '')} of carnet {getattr(entry.header.body, 'carnet_id', '')}"
                    if isinstance(outcome, EataError) and outcome.settled:
                        self._alert(f"■ {what} is refused: {outcome.code}", "bold red")
                    elif isinstance(outcome, Committed) and outcome.final:
                        self._alert(f"● {what} is {outcome.standing}", "bold green")

    def _alert(self, text: str, style: str) -> None:
        """At once, whatever is being typed; the prompt again below."""
        self.console.print()
        self._say(text, style)
        self.console.print(self._prompt, end="", markup=False)

    async def _last(self) -> None:
        found, _ = await self.lists.transactions(lists_pb2.ListQuery())
        for logged in found:
            self._say(f"  {logged.row.index:>6} {logged.number} {logged.row.kind.name} {logged.row.items}")

    async def _watch(self) -> None:
        """What the officer should know without asking: this code was shown at another desk too (U13)."""
        try:
            events = follow(self.transport, "Territory", self.desk.key, 2**62, certificate=self.desk.certificate)
            async for event in events:
                match decode(event.facts):
                    case [int(slot), str(first), int(), str(second), int()] if event.type == "SECOND_PRESENTATION":
                        self._alerts.append(
                            f"voucher {slot} of carnet {event.carnet_id} was shown at {first} and at {second}"
                        )
        except (EataError, Malformed):
            return  # the desk works without it; the scan itself says so too

    def _failed(self, error: Fault | Malformed) -> None:
        if isinstance(error, Fault):
            self._say(f"■ {error.code}: {error.message} {error.advice}", "bold red")
        else:
            self._say(f"■ {error}.", "bold red")


def _check(scanned: Scanned, found: Verdict, day: int) -> Panel:
    """Step 2: the word, whose carnet it is, what is new since the last crossing."""
    carnet, presented = scanned.carnet, scanned.presented
    left = carnet.valid_until - day
    body = Text()

    def line(text: str, style: str = "") -> None:
        body.append(shown(text) + "\n", style)

    body.append(f" {_SHAPE[found.word]}{found.word} ", _STYLE[found.word])
    line(f"  {found.sentence} {found.advice}" if found.word is not Word.GO else f"  {found.sentence}")
    if found.code:
        line(found.code, "dim")
    left_behind = f", not returned {presented.not_returned}" if presented.not_returned else ""
    line(f"{presented.kind.name} of items {presented.items}{left_behind}", "bold")
    line(f"{carnet.number}{' TEST' if carnet.test else ''}, issued by {carnet.issuer}")
    line(f"{scanned.content.holder}, {scanned.content.intended_use}")
    line(f"{scanned.content.worth}, {carnet.items} items, valid until {iso(carnet.valid_until)} ({left} days)")
    line(scanned.agreed.standing, "dim" if scanned.agreed.sure else "bold yellow")
    for name in scanned.agreed.differing:
        line(f"{name} tells otherwise: kept as evidence", "bold red")
    for relation, number in scanned.links:
        line(f"{relation.lower().replace('_', ' ')} {number}")
    body.append(shown(_new_since(scanned)))
    return Panel(body, title=f"carnet {carnet.carnet_id}", expand=False)


def _new_since(scanned: Scanned) -> str:
    last = scanned.last
    if last is None:
        return "First crossing."
    declared = scanned.presented.items | scanned.presented.not_returned
    before = last.items | last.not_returned
    if declared == before:
        return f"Same items as the last crossing ({last.kind.name}, {last.office})."
    more, fewer = declared - before, before - declared
    parts = [
        f"new since {last.kind.name} at {last.office}: {more}" if more else "",
        f"missing: {fewer}" if fewer else "",
    ]
    return "; ".join(part for part in parts if part) + "."


def _goods(scanned: Scanned, items: Items) -> Table:
    """Step 3: the declared lines, with a total."""
    table = Table(expand=False)
    for name in ("item", "pieces", "description", "origin", "value"):
        table.add_column(name, justify="right" if name in ("item", "pieces", "value") else "left")
    lines = [line for line in scanned.content.goods if line.item in items]
    for line in lines[:_SHOWN]:
        table.add_row(
            str(line.item),
            str(line.pieces),
            Text(line.description),
            Text(line.origin),
            scanned.content.amount(line.value),
        )
    if len(lines) > _SHOWN:
        table.add_row("…", "", f"{len(lines) - _SHOWN} more", "", "")
    total = sum(line.value for line in lines)
    table.add_row("", str(sum(line.pieces for line in lines)), "total", "", scanned.content.amount(total))
    return table
