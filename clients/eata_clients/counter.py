"""The officer's terminal, step by step: scan, verdict, goods, commit. A wedge scanner types the code and Enter.

An unchanged declaration takes three Enters: verdict read, goods read, commit.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.items import Items
from eata_ledger.carnet.territories import digital_by
from eata_ledger.carnet.vocabulary import Flag, Warning
from eata_ledger.encoding import Malformed, decode
from eata_ledger.proof.qr import read_code
from eata_ledger.seal.codes import CodeKind
from eata_proto.v1 import lists_pb2
from rich.console import Console
from rich.text import Text

from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.customs import CustomsClient
from eata_clients.desk_fields import AT_THE_COMMIT, AT_THE_GOODS, Typed, offered, take, with_flag
from eata_clients.desk_views import Pages, accounted, check, history
from eata_clients.errors import EataError
from eata_clients.faults import Fault
from eata_clients.lists import Lists, follow
from eata_clients.receipts import Committed
from eata_clients.scanned import Scanned
from eata_clients.transport import Transport, now
from eata_clients.verdict import Verdict, Word, verdict
from eata_clients.words import shown
from eata_clients.zones import clock_differs, event_time

_SETTLE_SECONDS = 3.0
_HELP = """Scan a code, or type “ID CODE”. Then Enter, Enter, Enter.
 at the verdict   r reject   h hold   g general list   t what happened   d documents   q back
 at the goods     1-10,12 these items   x 3 not returned   w 5 processed   m 3 MARK   s 5 draw five to inspect
                  n next page   p page back   /words search   q back
 at the commit    f 2026-12-31 final date   ref TEXT   rem TEXT   paper   at 2026-06-02T14:34+02:00 noted then   q back
                  exam y (validation)   seals TEXT (transit)   b TEXT, c TEXT actions (re-exportation)
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
    controller: Desk | None = None  # signs what an earlier shift has noted
    _at: tuple[int, int] | None = None
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
        self.console.print(Text(shown(text), style=style), soft_wrap=True)

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
        self.console.print(check(scanned, found, day, await self._testing(day)))
        if found.word is Word.STOP and found.code == "HELD_IN_TERRITORY" and await self._offer_release(scanned):
            return await self._process(line)
        await self._decided(scanned, found)
        decision = await self._goods(scanned, decision)
        decision = await self._reason(scanned, decision, day)
        self._at = None
        decision = await self._last_look(scanned, decision)
        await self._commit(scanned, decision)
        return None

    async def _verdict(self, scanned: Scanned, decision: Decision, day: int) -> Verdict:
        home = (await self.client.registry()).territories.get(scanned.carnet.home)
        digital = home is not None and digital_by(home.digital_from, scanned.carnet.issued)
        return verdict(scanned, decision, day, digital)

    async def _testing(self, day: int) -> bool:
        """Before the territory's digital date what is done here has no legal effect (GTP-16)."""
        territory = (await self.client.registry()).territories.get((await self.client.office()).territory)
        return territory is None or not digital_by(territory.digital_from, day)

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
        while True:
            said = (await self._line("Enter goods · r reject · h hold · g list · t history · d documents ▸ ")).strip()
            match said.lower():
                case "r":
                    done = await self.client.reject(scanned, await self._required("why ▸ "))
                    self._say(f"Rejected, ledger index {done.index}; the voucher stays good.")
                    raise Left
                case "h":
                    done = await self.client.hold(scanned.carnet.carnet_id, await self._required("why ▸ "))
                    self._say(f"Held in this territory, ledger index {done.index}.")
                    raise Left
                case "g":
                    await self._browse(Pages(scanned, scanned.carnet.all_items, self._page))
                case "t":
                    for text in history(scanned):
                        self._say(text)
                case "d":
                    self._documents(scanned)
                case "" if found.word is not Word.STOP:
                    return
                case "" | "q":
                    raise Left
                case _:
                    self._say("r, h, g, t or d; Enter goes on to the goods, q to the next scan.")

    @property
    def _page(self) -> int:
        """Lines of a list that fit on the screen."""
        return max(self.console.size.height - 8, 15)

    async def _browse(self, pages: Pages) -> None:
        """The general list, until Enter."""
        self.console.print(pages.table())
        while said := (await self._line("Enter back · n · p · /words ▸ ")).strip():
            if pages.turn(said.lower()):
                self.console.print(pages.table())
            else:
                self._say("n next, p back, /words search; Enter goes back.")

    def _documents(self, scanned: Scanned) -> None:
        for found in scanned.documents:
            self._say(f"  {found.content.name}, {found.content.media}, {found.content.size:,} bytes")
        self._say("`eata customs document NAME --out FILE` fetches one." if scanned.documents else "No documents.")

    async def _required(self, prompt: str) -> str:
        """What must be typed; q goes back."""
        while not (text := (await self._line(prompt)).strip()):
            self._say("A reason is needed; q goes back.")
        if text.lower() == "q":
            raise Left
        return text

    async def _goods(self, scanned: Scanned, decision: Decision) -> Decision:
        kind, pages = scanned.presented.kind, Pages(scanned, decision.items | decision.not_returned, self._page)
        self.console.print(pages.table())
        self._say(offered(AT_THE_GOODS, kind), "dim")
        while True:
            said = (await self._line("Enter accept · items · s N sample ▸ ")).strip()
            if not said:
                return decision
            if said.lower() == "q":
                raise Left
            if pages.turn(said.lower()):
                self.console.print(pages.table())
                continue
            if re.fullmatch(r"s\s*\d*", said.lower()):
                drawn = await self.client.sample(scanned, int(said[1:].strip()[:5] or 3))
                self._say(f"Inspect items {drawn}.")
                decision = replace(decision, remarks=replace(decision.remarks, sample=drawn))
                continue
            decision = self._field(AT_THE_GOODS, scanned, decision, said)
            pages = Pages(scanned, decision.items | decision.not_returned, self._page, decision.remarks.item_marks)
            self.console.print(pages.table())
            self._say(accounted(scanned, decision), "yellow")

    def _field(self, fields: tuple[Typed, ...], scanned: Scanned, decision: Decision, said: str) -> Decision:
        """With what was typed; unchanged, and told why, where that is wrong."""
        try:
            taken = take(fields, scanned.presented.kind, decision, said)
        except Malformed as error:
            self._say(f"■ {error}.", "bold red")
            return decision
        if taken is not None:
            wrong = (taken.items | taken.not_returned | taken.processed) - scanned.carnet.all_items
            if wrong:
                self._say(f"■ {wrong}: not on this carnet, which lists items {scanned.carnet.all_items}.", "bold red")
                return decision
            return taken
        if fields is AT_THE_COMMIT:
            self._say(f"Enter commits; q goes back. {offered(fields, scanned.presented.kind)}")
            return decision
        typed = self._typed_items(said, scanned.carnet.all_items)
        return decision if typed is None else replace(decision, items=typed, not_returned=decision.not_returned - typed)

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

    async def _last_look(self, scanned: Scanned, decision: Decision) -> Decision:
        self._say(offered(AT_THE_COMMIT, scanned.presented.kind), "dim")
        while True:
            said = (await self._line("Enter commit · fields · paper · at TIME ▸ ")).strip()
            match said.lower().split(" ")[0]:
                case "":
                    return decision
                case "q":
                    raise Left
                case "paper":
                    decision = with_flag(decision, Flag.PAPER_PRESENTED)
                    self._say("PAPER presented." if decision.flags & Flag.PAPER_PRESENTED else "No paper presented.")
                case "at":
                    self._noted(said[2:].strip())
                case _:
                    decision = self._field(AT_THE_COMMIT, scanned, decision, said)

    def _noted(self, text: str) -> None:
        """A code noted in an outage counts as of then; a controller's desk signs too where the shift was another's (PRX-06)."""
        try:
            self._at = event_time(text)
        except Malformed as error:
            self._say(f"■ {error}.", "bold red")
            return
        by = "a controller signs too" if self.controller is not None else "in your own shift"
        self._say(f"As of {text}, {by}.")

    async def _commit(self, scanned: Scanned, decision: Decision) -> None:
        started = time.perf_counter()

        def say(done: Committed) -> None:
            ms = (time.perf_counter() - started) * 1000
            mark, style = ("●", "bold green") if done.final else ("▲", "bold yellow")
            said = f"{mark} {done.standing}, {ms:.0f} ms"
            self._say(f"{said} (ledger index {done.index})", style)

        second = None if self._at is None else self.controller
        done = await self.client.commit(scanned, decision, self._at, second, told=say)
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
