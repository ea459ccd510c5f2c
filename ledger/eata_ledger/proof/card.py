"""Declaration cards: a QR that proves a declaration with no network (U2), `EATA1:D:` and base45.

A card is [1, statement of the declaration's leaf (COSE_Sign), slot, sealed packet, code symbols]. The statement's facts
are what the ledger made public of the travel; the code opens the packet, and commits as it does on line.
"""

from dataclasses import dataclass

from eata_ledger.encoding import Malformed
from eata_ledger.proof.qr import base45, from_base45
from eata_ledger.proof.statement import Claim, Statement
from eata_ledger.proof.travelled import Prepared, TravelFacts, facts_of
from eata_ledger.proof.trust import Trust, Verdict, verify_receipt
from eata_ledger.record import CODE, U16, Record, blob, f, integer
from eata_ledger.seal.codes import Code, CodeKind, WrongCode

PREFIX = "EATA1:D:"
_LONGEST_TEXT = 4_296  # what one QR code holds


@dataclass(frozen=True)
class _Card(Record):
    version: int = f(integer(1, 1))
    statement: bytes = f(blob(1, 4096))
    slot: int = f(U16)
    packet: bytes = f(blob(1, 512))
    symbols: str = f(CODE)


@dataclass(frozen=True)
class Card:
    """A declaration as a QR shows it."""

    statement: Statement
    slot: int
    packet: bytes
    code: Code

    def __repr__(self) -> str:
        return f"Card(slot={self.slot}, …)"

    @property
    def text(self) -> str:
        """Secret like the code it holds."""
        return PREFIX + base45(_Card(1, self.statement.to_bytes(), self.slot, self.packet, self.code.text).to_bytes())

    @classmethod
    def read(cls, text: str) -> "Card":
        """Raises `Malformed`; nothing is proved yet."""
        plain = text.strip()
        if not plain.startswith(PREFIX) or len(plain) > _LONGEST_TEXT:
            raise Malformed("this is no declaration QR")
        raw = _Card.from_bytes(from_base45(plain[len(PREFIX) :]))
        try:
            code = Code.read(CodeKind.TRANSACTION, raw.symbols)
        except WrongCode as error:
            raise Malformed(str(error)) from None
        if code.text != raw.symbols:
            raise Malformed("the card's code is not as it is written")
        return cls(Statement.from_bytes(raw.statement), raw.slot, raw.packet, code)

    @property
    def claim(self) -> Claim:
        return self.statement.claim

    @property
    def facts(self) -> TravelFacts:
        """Raises `Malformed` where the statement is of something else."""
        return facts_of(self.claim.facts)

    @property
    def prepared(self) -> Prepared:
        """The voucher the card shows. Raises `Malformed`."""
        found = next((voucher for voucher in self.facts.vouchers if voucher.slot == self.slot), None)
        if found is None:
            raise Malformed("the card's voucher is not in its declaration")
        return found

    def check(self, trust: Trust) -> Verdict:
        """Good if enough nodes of the trust file vouch for the declaration."""
        verdict = verify_receipt(self.statement.to_bytes(), trust)
        try:
            _ = self.prepared
        except Malformed as error:
            return Verdict(False, str(error))
        return verdict
