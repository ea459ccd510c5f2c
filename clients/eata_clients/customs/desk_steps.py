"""One voucher at the officer's terminal: verdict, goods, commit. `q` goes one step back, to what was typed there.

An unchanged declaration takes three Enters: verdict read, goods read, commit.
"""

import re
import time
from dataclasses import dataclass, replace

from eata_host.faults import Fault
from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Flag, Kind, Warning
from eata_ledger.encoding import Malformed

from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.customs.client import CustomsDesk
from eata_clients.customs.desk_fields import (
    AT_THE_COMMIT,
    AT_THE_GOODS,
    TypedField,
    offered,
    only_there,
    take,
    with_flag,
)
from eata_clients.customs.desk_screen import Screen
from eata_clients.customs.desk_views import Pages, accounted, check, history
from eata_clients.customs.noted import require_noted
from eata_clients.customs.scanned import Scanned
from eata_clients.customs.verdict import Verdict, Word
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import Committed
from eata_clients.zones import event_time


@dataclass
class Steps:
    """What an officer does with one scanned voucher. `controller` signs what an earlier shift has noted."""

    client: CustomsDesk
    screen: Screen
    scanned: Scanned
    desk: Desk
    controller: Desk | None = None
    _at: tuple[int, int] | None = None

    async def run(self) -> bool:
        """True where the voucher is to be scanned again: its hold was released."""
        presented = self.scanned.presented
        decision = Decision(presented.items, presented.not_returned)
        found = await self._look(decision)
        if found.code == "HELD_IN_TERRITORY" and await self._released():
            return True
        while await self._decided(decision, found):
            onward = True
            while onward:
                decision, onward = await self._goods(decision)
                if onward:
                    decision, ready = await self._ready(decision)
                    if ready and await self._commit(decision):
                        return False
            found = await self._look(decision)
        return False

    # -- the verdict

    async def _day(self) -> int:
        """The office's local day: of the event, where that was earlier."""
        return local_day(*(self._at or await self.client.clock()))

    async def _look(self, decision: Decision) -> Verdict:
        """Judges it as of that day, and shows it."""
        registry, day = await self.client.registry(), await self._day()
        found = await self.client.verdict(self.scanned, decision, self._at)
        legal = registry.digital((await self.client.office()).territory, day)  # before that, no legal effect (GTP-16)
        self.screen.show(check(self.scanned, found, day, not legal))
        return found

    async def _released(self) -> bool:
        """Rescanning by the office that holds it opens the wizard again (ACC-42)."""
        held = self.scanned.hold
        if held is None or held.office != self.desk.office:
            return False
        if (await self.screen.line("held by this office; y releases ▸ ")).lower() != "y":
            return False
        await self.client.release(self.scanned.carnet.carnet_id)
        self.screen.say("Released.")
        return True

    async def _decided(self, decision: Decision, found: Verdict) -> bool:
        """True: on to the goods. False: the officer is done with this voucher."""
        while True:
            said = await self.screen.line("Enter goods · r reject · h hold · g list · t history · d documents ▸ ")
            try:
                match said.lower().split(" ")[0]:
                    case "r" | "h" as word:
                        if await self._turned_down(word == "h"):
                            return False
                    case "g":
                        await self._browse(Pages(self.scanned, self.scanned.carnet.all_items, self.screen.page))
                    case "t":
                        for text in history(self.scanned):
                            self.screen.say(text)
                    case "d":
                        self._documents()
                    case "at":
                        await self._noted(said[2:].strip())
                        found = await self._look(decision)
                    case "" if found.word is not Word.STOP:
                        return True
                    case "" | "q":
                        return False
                    case _:
                        self.screen.say("r, h, g, t, d or at; Enter goes on to the goods, q to the next scan.")
            except (Fault, Malformed) as error:
                self.screen.failed(error)

    async def _turned_down(self, hold: bool) -> bool:
        """Rejected, or held in this territory, with a reason; False where the officer thought better of it."""
        reason = await self.screen.reason("why ▸ ")
        if reason is None:
            return False
        if hold:
            done = await self.client.hold(self.scanned.carnet.carnet_id, reason)
            self.screen.say(f"Held in this territory, ledger index {done.index}.")
        else:
            done = await self.client.reject(self.scanned, reason)
            self.screen.say(f"Rejected, ledger index {done.index}; the voucher stays good.")
        return True

    async def _noted(self, text: str) -> None:
        """A code noted in an outage counts as of then; a controller's desk signs too where the shift was another's (PRX-06)."""
        noted, office = event_time(text), await self.client.office()
        if noted is not None:
            require_noted(*noted, office, self.desk, self.scanned.voucher.since, self.controller is not None)
        self._at = noted
        by = "a controller signs too" if self.controller is not None else "in your own shift"
        self.screen.say("As of now." if self._at is None else f"As of {text}, {by}.")

    async def _browse(self, pages: Pages) -> None:
        """The general list, until Enter."""
        self.screen.show(pages.table())
        while (said := await self.screen.line("Enter back · n · p · /words ▸ ")).lower() not in ("", "q"):
            if pages.turn(said.lower()):
                self.screen.show(pages.table())
            else:
                self.screen.say("n next, p back, /words search; Enter goes back.")

    def _documents(self) -> None:
        for found in self.scanned.documents:
            self.screen.say(f"  {found.content.name}, {found.content.media}, {found.content.size:,} bytes")
        where = "`eata customs document NAME --out FILE` fetches one."
        self.screen.say(where if self.scanned.documents else "No documents.")

    # -- the goods

    def _kind(self, decision: Decision) -> Kind:
        return decision.kind or self.scanned.presented.kind

    async def _goods(self, decision: Decision) -> tuple[Decision, bool]:
        """The items that are there, and whether to go on; False: back to the verdict."""
        pages = self._pages(decision)
        self.screen.show(pages.table())
        self._say_accounted(decision)
        self.screen.say(self._offered(decision), "dim")
        while True:
            said = await self.screen.line("Enter accept · items · s N sample ▸ ")
            if not said or said.lower() == "q":
                return decision, not said
            if pages.turn(said.lower()):
                self.screen.show(pages.table())
            elif re.fullmatch(r"s\s*\d*", said.lower()):
                decision = await self._sampled(decision, int(said[1:].strip()[:5] or 3))
            elif said.lower() == "pre" and self._two_clicks:
                first = decision.kind is None
                decision = replace(decision, kind=Kind.PRE_EXPORTATION if first else None, final_day=None)
                self.screen.say(f"{self._kind(decision).name}: the {'first' if first else 'second'} of the two clicks.")
            else:
                decision = self._field(AT_THE_GOODS, decision, said)
                pages = self._pages(decision)
                self.screen.show(pages.table())
                self._say_accounted(decision)

    def _say_accounted(self, decision: Decision) -> None:
        """What becomes of the declared items, where it is not what was declared."""
        presented = self.scanned.presented
        if (decision.items, decision.not_returned) != (presented.items, presented.not_returned):
            self.screen.say(accounted(self.scanned, decision), "yellow")

    async def _sampled(self, decision: Decision, count: int) -> Decision:
        try:
            drawn = await self.client.sample(self.scanned, count)
        except (Fault, Malformed) as error:
            self.screen.failed(error)
            return decision
        self.screen.say(f"Inspect items {drawn}.")
        return replace(decision, remarks=replace(decision.remarks, sample=drawn))

    @property
    def _two_clicks(self) -> bool:
        """The office of export may register it before the exit (domain §2.2, EXPORTATION in the EU)."""
        return self.scanned.exit_first and self.scanned.presented.kind is Kind.EXPORTATION

    def _offered(self, decision: Decision) -> str:
        said = offered(AT_THE_GOODS, self._kind(decision))
        return f"{said} · pre pre-exportation (office of export)" if self._two_clicks else said

    def _pages(self, decision: Decision) -> Pages:
        items = decision.items | decision.not_returned
        return Pages(self.scanned, items, self.screen.page, decision.remarks.item_marks)

    def _field(self, fields: tuple[TypedField, ...], decision: Decision, said: str) -> Decision:
        """With what was typed; unchanged, and told why, where that is wrong."""
        listed = self.scanned.carnet.all_items
        try:
            taken = take(fields, self._kind(decision), decision, said)
            if taken is None and fields is AT_THE_COMMIT:
                self.screen.say(f"Enter commits; q goes back. {offered(fields, self._kind(decision))}")
                return decision
            if taken is None:
                items = Items.parse(said)
                if not items:
                    raise Malformed(f"Nothing: not on this carnet, which lists items {listed}")
                taken = replace(decision, items=items, not_returned=decision.not_returned - items)
            wrong = (taken.items | taken.not_returned | taken.processed) - listed
            if wrong:
                raise Malformed(f"{wrong}: not on this carnet, which lists items {listed}")
        except Malformed as error:
            self.screen.failed(error)
            return decision
        return only_there(taken)

    # -- the commit

    async def _ready(self, decision: Decision) -> tuple[Decision, bool]:
        """With the reason that a warning asks for, and what was typed last; False: back to the goods."""
        reasoned = await self._reason(decision)
        if reasoned is None:
            return decision, False
        self._say_accounted(reasoned)
        self.screen.say(offered(AT_THE_COMMIT, self._kind(reasoned)), "dim")
        while True:
            said = await self.screen.line("Enter commit · fields · paper ▸ ")
            match said.lower():
                case "" | "q":
                    return reasoned, not said
                case "paper":
                    reasoned = with_flag(reasoned, Flag.PAPER_PRESENTED)
                    there = reasoned.flags & Flag.PAPER_PRESENTED
                    self.screen.say("PAPER presented." if there else "No paper presented.")
                case _:
                    reasoned = self._field(AT_THE_COMMIT, reasoned, said)

    async def _reason(self, decision: Decision) -> Decision | None:
        warned = self.scanned.warnings(decision, await self._day())
        if not warned:
            return replace(decision, acknowledged=(), remarks=replace(decision.remarks, reason=""))
        self.screen.say(f"▲ {', '.join(warned)}", "yellow")
        reason = await self.screen.reason("reason ▸ ")
        if reason is None:
            return None
        known = tuple(sorted(Warning[name] for name in warned))
        return replace(decision, acknowledged=known, remarks=replace(decision.remarks, reason=reason))

    async def _commit(self, decision: Decision) -> bool:
        """False where it was refused, and the officer may correct it; what no node answered is sent again by itself."""
        started = time.perf_counter()

        def say(done: Committed) -> None:
            ms = (time.perf_counter() - started) * 1000
            mark, style = ("●", "bold green") if done.final else ("▲", "bold yellow")
            self.screen.say(f"{mark} {done.standing}, {ms:.0f} ms (ledger index {done.index})", style)

        second = None if self._at is None else self.controller
        try:
            done = await self.client.commit(self.scanned, decision, self._at, second, told=say)
        except (Fault, Malformed) as error:
            if isinstance(error, EataError) and not error.settled:
                raise
            self.screen.failed(error)
            return getattr(error, "code", "") == "REASON_REQUIRED"  # it has changed meanwhile: to be scanned again
        say(done)
        if not done.final:
            self.screen.say(await self.client.until_final(), "yellow")
        elif done.verification:
            self.screen.say(f"Verification code for the holder: {done.verification}")
        return True
