"""A carnet as its holder sees it."""

from dataclasses import dataclass, field

from eata_ledger.state import Carnet, CarnetState, GoodsOut, Stay, Transaction, Voucher
from eata_proto.v1 import reading_pb2

from eata_clients.authoring.content import CarnetContent, Counterfoil
from eata_clients.opened.parts import Excerpts
from eata_clients.trust.comparing import Agreed


@dataclass(frozen=True)
class Downloaded:
    """Opened; `rows` are its transactions with what was sealed of them, `lent` who holds which voucher, by slot."""

    carnet: Carnet
    state: CarnetState
    content: CarnetContent
    rows: list[tuple[Transaction, Counterfoil | None]]
    vouchers: list[Voucher]
    reply: reading_pb2.CarnetReply
    excerpts: Excerpts
    agreed: Agreed
    lent: dict[int, str] = field(default_factory=dict)

    @property
    def goods(self) -> GoodsOut:
        """Where the goods are, as the log has them now."""
        return GoodsOut.of(self.state, map(Stay.from_bytes, self.reply.stays))

    @property
    def entries(self) -> dict[int, bytes]:
        """Ledger index → entry hash: what fetches a receipt."""
        return {row.index: self.excerpts.entry_hash(row.index) for row, _ in self.rows if row.index in self.excerpts}
