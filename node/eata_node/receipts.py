"""Statements: this node's signature at once, its peers' on request, merged into one receipt."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

import grpc.aio
from eata_ledger.carnet.vocabulary import Purpose, VoucherState
from eata_ledger.encoding import decode
from eata_ledger.facts import Facts, key_of
from eata_ledger.proof.bodies import Commit
from eata_ledger.proof.entry import Header
from eata_ledger.proof.genesis import Genesis
from eata_ledger.proof.keys import SigningKey, verify
from eata_ledger.proof.leaf import Leaf
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.state import Family, Transaction, Voucher
from eata_proto.v1 import node_pb2, node_pb2_grpc

from eata_node.replica import Replica

_KEPT = 4096
_PEER_SECONDS = 2.0


class Receipts:
    """Receipts by ledger index; what was merged is kept for the newest 4,096."""

    def __init__(
        self, genesis: Genesis, replica: Replica, key: SigningKey, kid: bytes, peers: Mapping[str, grpc.aio.Channel]
    ) -> None:
        self._genesis, self._replica, self._key, self._kid = genesis, replica, key, kid
        self._peers = {name: node_pb2_grpc.PeerStub(channel) for name, channel in peers.items()}
        self._merged: OrderedDict[int, Statement] = OrderedDict()

    def payload(self, index: int) -> bytes:
        """The statement payload every node signs for this index. Raises `KeyError`."""
        stored = self._replica.store.entry(index)
        if stored is None:
            raise KeyError(index)
        leaf = Leaf.from_bytes(stored.leaf)
        return Claim(
            self._genesis.ledger[:8], self._replica.state.era, index, leaf.log_time, leaf.entry_hash, leaf.rules,
            leaf.outcome, decode(stored.facts), leaf.effects_hash, *self._standing(index, stored.header),
        ).to_bytes()  # fmt: skip

    def _standing(self, index: int, header: bytes) -> tuple[int, Standing]:
        """Where its standing was decided: at itself, or at the entry that cancelled it."""
        body = Header.from_bytes(header).body
        voucher = (
            Facts(self._replica.store).get(Voucher, body.carnet_id, body.slot) if isinstance(body, Commit) else None
        )
        if isinstance(body, Commit) and voucher is not None and voucher.state is VoucherState.CANCELLED:
            for _, value in self._replica.store.facts(int(Family.TRANSACTION), key_of(body.carnet_id)):
                row = Transaction.from_own(value)
                if row.index == index and row.cancelled is not None:
                    return row.cancelled, Standing.CANCELLED
        return index, Standing.LIVE

    def sign(self, index: int) -> tuple[bytes, bytes]:
        """(kid, signature) of this node."""
        return self._signed(self.payload(index))

    def _signed(self, payload: bytes) -> tuple[bytes, bytes]:
        return self._kid, self._key.sign(to_sign(payload, self._kid))

    def own(self, index: int) -> Statement:
        """The receipt as far as it is signed now, at least by this node."""
        found, payload = self._merged.get(index), self.payload(index)
        if found is None or found.payload != payload:  # a cancellation changes what nodes say
            found = Statement(payload, ()).merged(*self._signed(payload))
            self._keep(index, found)
        return found

    def _keep(self, index: int, statement: Statement) -> None:
        self._merged[index] = statement
        self._merged.move_to_end(index)
        if len(self._merged) > _KEPT:
            self._merged.popitem(last=False)

    async def merged(self, index: int, wanted: int) -> Statement:
        """With `wanted` signers if so many answer in time; excluded peers are not asked."""
        statement = self.own(index)
        if len(statement.signatures) >= wanted:
            return statement
        excluded = self._replica.cosigning.excluded
        asked = [
            asyncio.ensure_future(self._ask(name, index, statement.payload))
            for name in self._peers if name not in excluded
        ]  # fmt: skip
        try:
            for answer in asyncio.as_completed(asked):
                found = await answer
                if found is not None:
                    statement = statement.merged(*found)
                if len(statement.signatures) >= wanted:
                    break
        finally:
            for task in asked:
                task.cancel()
        self._keep(index, statement)
        return statement

    async def _ask(self, name: str, index: int, payload: bytes) -> tuple[bytes, bytes] | None:
        try:
            reply = await self._peers[name].SignStatement(
                node_pb2.SignStatementRequest(index=index), timeout=_PEER_SECONDS
            )  # fmt: skip
        except grpc.aio.AioRpcError:
            return None
        record = self._replica.charter.by_kid.get(reply.signer)
        if record is None or record.name != name:
            return None
        good = verify(record.key(Purpose.STATEMENT), reply.signature, to_sign(payload, reply.signer))
        return (reply.signer, reply.signature) if good else None
