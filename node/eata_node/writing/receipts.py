"""Statements: this node's signature at once, its peers' on request, merged into one receipt."""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace

from eata_ledger.carnet.vocabulary import VoucherState
from eata_ledger.encoding import decode
from eata_ledger.facts import Facts, key_of
from eata_ledger.log.bodies import Commit
from eata_ledger.log.entry import Header, frame_hash
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.keys import verify
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.seal.verification import Occurrence, share, verification_code
from eata_ledger.state import Family, Transaction, Voucher

from eata_node.ground.config import NodeKeys
from eata_node.replica.replica import Replica
from eata_node.writing.gathering import Gathering, Given

_KEPT = 4096
_GATHER_SECONDS = 2.0


@dataclass(frozen=True)
class Receipt:
    """A statement as far as it is signed, and the nodes' shares of the verification code by kid."""

    statement: Statement
    shares: dict[bytes, bytes]

    def merged(self, given: Given) -> "Receipt":
        """With one more node's signature and share."""
        shares = {**self.shares, given.kid: given.share} if given.share else self.shares
        return replace(self, statement=self.statement.merged(given.kid, given.signature), shares=shares)

    def code(self, charter: Charter) -> str:
        """The verification code of more than half of the nodes; empty before so many gave their shares."""
        kids = sorted(kid for kid in self.shares if kid in charter.by_kid)[: charter.enough]
        return "" if len(kids) < charter.enough else verification_code(self.shares[kid] for kid in kids).text


@dataclass(frozen=True)
class _Read:
    """What the replica holds of an entry, as far as a statement says it."""

    index: int
    leaf: Leaf
    facts: bytes
    commit: Commit | None
    voucher: Voucher | None


class Receipts:
    """Receipts by ledger index; what was merged is kept for the newest 4,096."""

    def __init__(self, genesis: Genesis, replica: Replica, keys: NodeKeys, gathering: Gathering) -> None:
        self._genesis, self._replica, self._gathering = genesis, replica, gathering
        self._key, self._kid, self._exchange = keys.statement, keys.statement.id[:8], keys.exchange
        self._merged: OrderedDict[int, Receipt] = OrderedDict()

    def given(self, index: int) -> Given:
        """This node's own signature, and its share of a commit's verification code. Raises `KeyError`."""
        read = self._read(index)
        return self._given(read, self._payload(read))

    def own(self, index: int) -> Receipt:
        """As far as it is signed now, at least by this node. Raises `KeyError`."""
        read, found = self._read(index), self._merged.get(index)
        payload = self._payload(read)
        if found is None or found.statement.payload != payload:  # a cancellation changes what nodes say
            found = Receipt(Statement(payload, ()), {}).merged(self._given(read, payload))
            self._keep(index, found)
        return found

    def _read(self, index: int) -> "_Read":
        stored = self._replica.store.entry(index)
        if stored is None:
            raise KeyError(index)
        leaf, body = Leaf.from_bytes(stored.leaf), Header.from_bytes(stored.header).body
        commit = body if isinstance(body, Commit) else None
        voucher = None if commit is None else Facts(self._replica.store).get(Voucher, commit.carnet_id, commit.slot)
        return _Read(index, leaf, stored.facts, commit, voucher)

    def _payload(self, read: "_Read") -> bytes:
        """What every node signs for this index."""
        leaf = read.leaf
        return Claim(
            self._genesis.ledger[:8], self._replica.state.era, read.index, leaf.log_time, leaf.entry_hash, leaf.rules,
            leaf.outcome, decode(read.facts), leaf.effects_hash, *self._standing(read),
        ).to_bytes()  # fmt: skip

    def _standing(self, read: "_Read") -> tuple[int, Standing]:
        """Where its standing was decided: at itself, or at the entry that cancelled it."""
        if read.commit and read.voucher and read.voucher.state is VoucherState.CANCELLED:
            for _, value in self._replica.store.facts(int(Family.TRANSACTION), key_of(read.commit.carnet_id)):
                row = Transaction.from_own(value)
                if row.index == read.index and row.cancelled is not None:
                    return row.cancelled, Standing.CANCELLED
        return read.index, Standing.LIVE

    def _given(self, read: "_Read", payload: bytes) -> Given:
        return Given(self._kid, self._signature(payload), self._share(read))

    def _signature(self, payload: bytes) -> bytes:
        return self._key.sign(to_sign(payload, self._kid))

    def _share(self, read: "_Read") -> bytes:
        """Empty for what has no verification code: only accepted commits do."""
        commit = read.commit
        if commit is None or self._exchange is None or read.leaf.outcome != Outcome.ACCEPTED:
            return b""
        assert read.voucher is not None, "a commit has its voucher"
        of = Occurrence(self._genesis.ledger, commit.carnet_id, commit.slot, commit.declaration, int(Outcome.ACCEPTED))
        return share(self._exchange, read.voucher.verify_key, of) or b""

    def _keep(self, index: int, receipt: Receipt) -> None:
        self._merged[index] = receipt
        self._merged.move_to_end(index)
        if len(self._merged) > _KEPT:
            self._merged.popitem(last=False)

    async def merged(self, index: int, wanted: int) -> Receipt:
        """With `wanted` signers if so many answer in time; excluded peers are not asked."""
        receipt = self.own(index)
        if len(receipt.statement.signatures) >= wanted:
            return receipt
        excluded, frame = self._replica.cosigning.excluded, self._frame(index)
        asked = [
            asyncio.ensure_future(self._verified(name, frame, index, receipt.statement.payload))
            for name in self._gathering.names if name not in excluded
        ]  # fmt: skip
        try:
            with suppress(TimeoutError):
                for answer in asyncio.as_completed(asked, timeout=_GATHER_SECONDS):
                    found = await answer
                    if found is not None:
                        receipt = receipt.merged(found)
                    if len(receipt.statement.signatures) >= wanted:
                        break
        finally:
            for task in asked:
                task.cancel()
        self._keep(index, receipt)
        return receipt

    def _frame(self, index: int) -> bytes:
        stored = self._replica.store.entry(index)
        assert stored is not None, "it has a payload"
        return frame_hash(stored.header, stored.signatures)

    async def _verified(self, name: str, frame: bytes, index: int, payload: bytes) -> Given | None:
        found = await self._gathering.signature(name, frame, index)
        charter = self._replica.charter
        record = None if found is None else charter.by_kid.get(found.kid)
        if found is None or record is None or record.name != name:
            return None
        good = verify(charter.statement_keys[found.kid], found.signature, to_sign(payload, found.kid))
        return found if good else None
