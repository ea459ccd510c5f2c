"""The officer's terminal: scan after scan, with lists and cancellations in between. A wedge scanner types the code and Enter."""

import asyncio
import contextlib
from dataclasses import dataclass

from eata_host.faults import Fault
from eata_ledger.carnet.vocabulary import NoticeState
from eata_ledger.encoding import Malformed, decode
from eata_ledger.proof.qr import CodeQr, read_code
from eata_ledger.seal.codes import CodeKind
from eata_ledger.state import Transaction
from eata_proto.v1 import lists_pb2

from eata_clients.authoring.clearing import Desk
from eata_clients.customs.client import CustomsDesk
from eata_clients.customs.desk_screen import Screen
from eata_clients.customs.desk_steps import Steps
from eata_clients.net.errors import EataError
from eata_clients.net.receipts import Committed
from eata_clients.net.transport import Transport, now
from eata_clients.opened.arrivals import Arrival
from eata_clients.opened.lists import Lists, follow
from eata_clients.zones import clock_differs, local_time

_SETTLE_SECONDS = 3.0
_HELP = """Scan a code, or type “ID CODE”. Then Enter, Enter, Enter.
 at the scan      l last transactions   o on hold   a arrivals   a cancellation code: undo   ? this help   q quit
 at the verdict   r reject   h hold   g general list   t what happened   d documents   q back
                  at 2026-06-02T14:34+02:00 the code was noted then, in an outage
 at the goods     1-10,12 these items   x 3 not returned   w 5 processed   m 3 MARK   s 5 draw five to inspect
                  pre pre-exportation   n next page   p page back   /words search   q back
 at the commit    f 2026-12-31 final date   ref TEXT   rem TEXT   paper   q back
                  exam y (validation)   seals TEXT (transit)   b TEXT, c TEXT actions (re-exportation)"""


@dataclass
class Terminal:
    """One officer's session."""

    client: CustomsDesk
    lists: Lists
    transport: Transport
    desk: Desk
    screen: Screen
    controller: Desk | None = None  # signs what an earlier shift has noted

    async def run(self) -> None:
        """Until q or the end of input."""
        beside = [asyncio.create_task(self._watch()), asyncio.create_task(self._settle())]
        office = await self.client.office()
        self.screen.say(f"{office.name} ({self.desk.office}, {office.territory}). ? for help.", "bold")
        if differs := clock_differs(office, now()):
            self.screen.say(differs, "yellow")
        try:
            while True:
                try:
                    line = await self.screen.line("scan ▸ ")
                    if line.lower() in ("q", "quit", "exit"):
                        return
                    await self._choose(line)
                except (Fault, Malformed) as error:
                    self.screen.failed(error)
        except EOFError:
            return
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _choose(self, line: str) -> None:
        match line.lower():
            case "":
                return
            case "?":
                for text in _HELP.splitlines():
                    self.screen.say(text)
            case "l":
                await self._last()
            case "o":
                for held in await self.lists.holds():
                    self.screen.say(f"  {held.number} {held.hold.office}: {held.reason or '(sealed)'}")
            case "a":
                await self._arrivals()
            case text if text.startswith("eata1:c:"):
                await self._cancel(read_code(line, CodeKind.CANCELLATION))
            case _:
                await self._process(read_code(line, CodeKind.TRANSACTION))

    async def _process(self, code: CodeQr) -> None:
        again = True
        while again:
            scanned = await self.client.scan(code)
            again = await Steps(self.client, self.screen, scanned, self.desk, self.controller).run()

    # -- at the scan

    async def _last(self) -> None:
        found, _ = await self.lists.transactions(lists_pb2.ListQuery())
        for logged in found:
            self.screen.say(f"  {logged.row.index:>6} {logged.number} {logged.row.kind.name} {logged.row.items}")

    async def _cancel(self, code: CodeQr) -> None:
        """The holder's cancellation code: which transaction, and why (ACC-30)."""
        rows = await self.client.cancellable(code)
        if not rows:
            self.screen.say("No transaction of this carnet can be cancelled here.")
            return
        for row in rows:
            time = local_time(row.event_time, row.offset)
            self.screen.say(f"  {row.index:>6} {time} {row.kind.name} at {row.office}: items {row.items}")
        index = await self._which(rows)
        reason = None if index is None else await self.screen.reason("why ▸ ")
        if index is None or reason is None:
            return
        done = await self.client.cancel(code, index, reason)
        self.screen.say(f"Cancelled, ledger index {done.index}: {done.standing}. The holder may prepare it again.")

    async def _which(self, rows: list[Transaction]) -> int | None:
        """A ledger index of these; None for q."""
        known = {str(row.index): row.index for row in rows}
        while (said := await self.screen.line("which ledger index ▸ ")).lower() != "q":
            if said in known:
                return known[said]
            self.screen.say("One of the numbers above; q goes back.")
        return None

    async def _arrivals(self) -> None:
        """Who is announced; answered by number (ACC-43, ACC-44)."""
        found = await self.lists.arrivals(state=NoticeState.SENT.name)
        offices = (await self.client.registry()).offices
        for number, arrival in enumerate(found, 1):
            office = offices.get(arrival.notice.office)
            self.screen.say(
                f"  {number} {arrival.number} {arrival.kind} at {arrival.notice.office}, {arrival.eta(office)}"
            )
            for text in arrival.lines():
                self.screen.say(f"      {text}")
        if not found:
            self.screen.say("Nobody is announced.")
            return
        prompt = "Enter back · NUMBER y TEXT acknowledges · NUMBER n TEXT stops ▸ "
        while (said := await self.screen.line(prompt)).lower() not in ("", "q"):
            which, answer, text = [*said.split(maxsplit=2), "", ""][:3]
            arrival_of = {str(number): arrival for number, arrival in enumerate(found, 1)}
            if which not in arrival_of or answer.lower() not in ("y", "n"):
                self.screen.say("A number of the list, y or n, and what the holder shall read.")
                continue
            await self._answer(arrival_of[which], answer.lower() == "y", text)

    async def _answer(self, arrival: Arrival, acknowledged: bool, text: str) -> None:
        try:
            done = await self.client.answer(arrival, acknowledged, text)
        except (Fault, Malformed) as error:
            self.screen.failed(error)
            return
        said = "Acknowledged" if acknowledged else "Rejected; the holder is told to stop"
        self.screen.say(f"{said}: {done.standing}, ledger index {done.index}.")

    # -- beside it

    async def _settle(self) -> None:
        """What was only ordered turns green by itself, once enough nodes are back."""
        while True:
            await asyncio.sleep(_SETTLE_SECONDS)
            if not self.client.waiting():
                continue
            with contextlib.suppress(Fault, OSError):  # still too few: the next look finds more
                for entry, outcome in await self.client.resend():
                    what = f"voucher {getattr(entry.header.body, 'slot', '')} of carnet {getattr(entry.header.body, 'carnet_id', '')}"
                    if isinstance(outcome, EataError) and outcome.settled:
                        self.screen.interrupt(f"■ {what} is refused: {outcome.code}", "bold red")
                    elif isinstance(outcome, Committed) and outcome.final:
                        self.screen.interrupt(f"● {what} is {outcome.standing}", "bold green")

    async def _watch(self) -> None:
        """What the officer should know without asking: this code was shown at another desk too (U13)."""
        try:
            events = follow(self.transport, "Territory", self.desk.key, 2**62, certificate=self.desk.certificate)
            async for event in events:
                match decode(event.facts):
                    case [int(slot), str(first), int(), str(second), int()] if event.type == "SECOND_PRESENTATION":
                        self.screen.alerts.append(
                            f"voucher {slot} of carnet {event.carnet_id} was shown at {first} and at {second}"
                        )
        except (Fault, Malformed, OSError):
            return  # the desk works without it; the scan itself says so too
