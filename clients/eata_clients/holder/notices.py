"""A holder's pre-notifications and requests: told, answered, withdrawn (APP-20, APP-21, APP-27, U12)."""

from dataclasses import dataclass, replace

from eata_ledger.carnet.vocabulary import AskKind, Label, NoticeKind, SetKind
from eata_ledger.encoding import Malformed
from eata_ledger.seal.codes import CodeKind
from eata_ledger.state import Notice

from eata_clients.authoring import telling
from eata_clients.authoring.content import NoticeDetails, Remarks, Stamp
from eata_clients.holder.downloaded import Downloaded
from eata_clients.holder.wallet import Wallet
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.receipts import Committed
from eata_clients.net.transport import now
from eata_clients.zones import offset_at


@dataclass(frozen=True)
class Told:
    """A pre-notification as its holder sees it; `said` is the office's answer once there is one."""

    notice: Notice
    details: NoticeDetails | None
    said: str


class Notices:
    """What a wallet tells offices and its issuer."""

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet

    async def notify(
        self, carnet_id: int, slot: int, office: str, kind: NoticeKind, details: NoticeDetails
    ) -> Committed:
        """A pre-declaration carries the voucher's code, so that the desk is prefilled; a notice does not."""
        registry, time = await self._wallet.registry(), now()
        place = registry.offices.get(office)
        if place is None or not place.active:
            raise EataError("OFFICE_INACTIVE", f"Office {office} is not open.", "Choose another office.")
        if kind is NoticeKind.PREDECLARATION:
            code = self._wallet.code(carnet_id, slot, CodeKind.TRANSACTION)
            details = replace(details, code=code.text)
        entry = telling.notify(
            self._wallet.holding(carnet_id), slot, office, kind, details, registry.live(time).get(place.territory),
            Stamp(time, offset_at(place, time)),
        )  # fmt: skip
        return await self._wallet.submit(entry)

    async def withdraw(self, carnet_id: int, notice: Notice) -> Committed:
        held = self._wallet.holding(carnet_id)
        return await self._wallet.submit(telling.withdraw(held, notice.notice_id, notice.office, Stamp(now())))

    def told(self, shown: Downloaded) -> list[Told]:
        """The newest notice of each voucher, with what the office said."""
        held, found = self._wallet.holding(shown.carnet.carnet_id), []
        for record in shown.reply.notices:
            notice = Notice.from_bytes(record)
            key = telling.notice_key(held, notice.notice_id, notice.slot)
            try:
                details = shown.excerpts.find(Label.NOTICE, notice.entry)
                said = None if notice.answer is None else shown.excerpts.find(Label.ANSWER, notice.answer)
                read = None if details is None else NoticeDetails.from_bytes(details.unsealed(key, held.carnet_id))
                answered = "" if said is None else Remarks.from_bytes(said.unsealed(key, held.carnet_id)).remarks
                found.append(Told(notice, read, answered))
            except (Untrusted, Malformed):
                found.append(Told(notice, None, ""))
        return found

    async def disagree(self, carnet_id: int, index: int, note: str) -> Committed:
        """A note on a committed transaction; whoever may read its counterfoil reads the note."""
        shown = await self._wallet.show(carnet_id)
        row = next((row for row, _ in shown.rows if row.index == index), None)
        if row is None:
            raise EataError("TRANSACTION_UNKNOWN", "No such transaction.", "See `eata wallet show`.")
        held = self._wallet.holding(carnet_id)
        return await self._wallet.submit(telling.disagree(held, index, row.slot, note, Stamp(now())))

    async def ask(self, carnet_id: int, kind: AskKind, sets: dict[SetKind, int]) -> Committed:
        return await self._wallet.submit(telling.ask(self._wallet.holding(carnet_id), kind, sets, Stamp(now())))
