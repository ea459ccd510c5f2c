"""Travels that were prepared where no node could order: they wait in the outbox, and are never made twice."""

from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label, VoucherState
from eata_ledger.log.bodies import Travel
from eata_ledger.log.declared import Declaration, Declared, declaration_digest
from eata_ledger.log.entry import Entry

from eata_clients.authoring.holding import Wish
from eata_clients.holder.keystore import SeenVoucher
from eata_clients.net.errors import EataError
from eata_clients.net.outbox import Outbox


def unsent(outbox: Outbox, carnet_id: int) -> list[Entry]:
    """Of one carnet; no node has answered for these yet."""
    return [
        entry
        for entry in outbox.waiting()
        if isinstance(entry.header.body, Travel)
        and entry.header.body.carnet_id == carnet_id
        and not outbox.words(entry)
    ]


def slots_of(entry: Entry) -> tuple[tuple[int, Kind, str], ...]:
    """(slot, kind, territory) of each voucher."""
    return tuple((declared.slot, declared.kind, declared.territory) for declared in _declarations(entry))


def seen_of(entry: Entry) -> dict[int, SeenVoucher]:
    """The vouchers as the wallet remembers them, by slot."""
    header, found = entry.header, dict[int, SeenVoucher]()
    for one in _declarations(entry):
        digests = tuple(info.digest for info in header.parts if info.slot == one.slot)
        digest = declaration_digest(header.ledger, header.body.carnet_id, one.slot, digests)  # type: ignore[attr-defined]
        found[one.slot] = SeenVoucher(digest, one.kind, one.territory, one.items, VoucherState.PREPARED)
    return found


def is_of(entry: Entry, wishes: tuple[Wish, ...]) -> bool:
    """The entry prepares just this."""

    def said(one: Declaration | Wish) -> tuple[Kind, str, Items, Items]:
        return one.kind, one.territory, one.items, one.not_returned

    return list(map(said, _declarations(entry))) == list(map(said, wishes))


def waits(why: EataError) -> EataError:
    """For the holder whose travel no node took."""
    return EataError(
        "TRAVEL_WAITS", f"The travel is kept on this device and waits: no node could take it ({why.code}).",
        "Send it with `eata wallet resend` when you are on line; typing it again makes no second one.", retryable=True,
    )  # fmt: skip


def _declarations(entry: Entry) -> list[Declaration]:
    infos = zip(entry.header.parts, entry.parts, strict=True)
    return [Declared.from_part(part).declaration for info, part in infos if info.label is Label.DECLARED]
