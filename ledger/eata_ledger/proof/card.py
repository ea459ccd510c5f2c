"""Declaration cards: a QR that proves a declaration with no network (U2), `EATA1:D:` and base45.

A card is [1, statement of the declaration's leaf (COSE_Sign), slot, declared part, SHA-256 of the sealed details, sealed
packet, code symbols]. The statement's facts hold the digest of all three parts; the code opens the packet, and commits as
it does on line.
"""

from dataclasses import dataclass

from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.declared import LONGEST, Declaration, Declared, declaration_digest
from eata_ledger.proof.qr import base45, from_base45
from eata_ledger.proof.statement import Claim, Statement
from eata_ledger.proof.travelled import Prepared, TravelFacts, facts_of
from eata_ledger.proof.trust import ReceiptCheck, Trust, verify_receipt
from eata_ledger.record import CODE, HASH, U16, Record, blob, f, integer
from eata_ledger.seal.codes import Code, CodeKind, WrongCode

PREFIX = "EATA1:D:"
_LONGEST_TEXT = 4_296  # what one QR code holds


@dataclass(frozen=True)
class _Card(Record):
    version: int = f(integer(1, 1))
    statement: bytes = f(blob(1, 4096))
    slot: int = f(U16)
    declared: bytes = f(blob(1, LONGEST))
    details: bytes = f(HASH)
    packet: bytes = f(blob(1, 1024))
    symbols: str = f(CODE)


@dataclass(frozen=True)
class Card:
    """A declaration as a QR shows it."""

    statement: Statement
    slot: int
    declared: bytes
    details: bytes
    packet: bytes
    code: Code

    def __repr__(self) -> str:
        return f"Card(slot={self.slot}, …)"

    @property
    def text(self) -> str:
        """Secret like the code it holds."""
        raw = _Card(
            1, self.statement.to_bytes(), self.slot, self.declared, self.details, self.packet, self.code.text
        )  # fmt: skip
        return PREFIX + base45(raw.to_bytes())

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
        return cls(Statement.from_bytes(raw.statement), raw.slot, raw.declared, raw.details, raw.packet, code)

    @property
    def claim(self) -> Claim:
        return self.statement.claim

    @property
    def facts(self) -> TravelFacts:
        """Raises `Malformed` where the statement is of something else."""
        return facts_of(self.claim.facts)

    def prepared(self, ledger: bytes) -> Prepared:
        """What the statement says of the voucher: the parts shown here are those it is of. Raises `Malformed`."""
        found = next((voucher for voucher in self.facts.vouchers if voucher.slot == self.slot), None)
        parts = (sha256(self.declared), self.details, sha256(self.packet))
        carnet_id = self.facts.carnet_id
        if found is None or found.digest != declaration_digest(ledger, carnet_id, self.slot, parts):
            raise Malformed("the card's voucher is not in its declaration")
        return found

    @property
    def declaration(self) -> Declaration:
        """The voucher the card shows. Raises `Malformed`."""
        return Declared.from_part(self.declared).declaration

    def check(self, trust: Trust) -> ReceiptCheck:
        """Good if enough nodes of the trust file vouch for the declaration."""
        verdict = verify_receipt(self.statement.to_bytes(), trust)
        try:
            _ = self.prepared(trust.genesis.ledger), self.declaration
        except Malformed as error:
            return ReceiptCheck(False, str(error))
        return verdict
