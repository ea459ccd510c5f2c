"""Nodes in the attacker's hands: up to two of six, for the whole run. They follow the log, and answer whatever they like."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from eata_ledger.encoding import Value, sha256
from eata_ledger.log.genesis import origin
from eata_ledger.log.group import Cosignature
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.checkpoint import Checkpoint
from eata_ledger.proof.statement import Claim, Standing, Statement, to_sign
from eata_ledger.state import CarnetState
from eata_ledger.wire import entry_from_proto, frame_of
from eata_node.node import Node
from eata_node.rpc.errors import Trouble, refusal, trouble
from eata_node.services import public
from eata_node.services.attesting import Attesting
from eata_node.writing.receipts import Receipt
from eata_proto.v1 import ledger_pb2, node_pb2, reading_pb2

_YEAR = 365 * 86_400_000
TRICKS = (
    "invent", "swallow", "refuse", "withhold", "forge", "clock", "root", "mislead", "tell", "rubbish",
)  # fmt: skip


class Band:
    """The liars of one run, which collude: what one invents all of them sign."""

    def __init__(self, seeded: random.Random, keys: dict[str, SigningKey]) -> None:
        self.seeded, self.keys = seeded, keys
        self.choose()
        self.invented: dict[int, Receipt] = {}

    def choose(self) -> None:
        """Which tricks each liar plays from now on."""
        seeded = self.seeded
        self.tricks = {name: set(seeded.sample(TRICKS, seeded.randint(1, len(TRICKS)))) for name in self.keys}

    def lies(self, name: str, trick: str) -> bool:
        """Whether this liar plays the trick now."""
        return trick in self.tricks.get(name, ()) and self.seeded.random() < 0.6

    def skew(self, name: str) -> int:
        return self.seeded.choice((73, -3, 1)) * _YEAR if "clock" in self.tricks.get(name, ()) else 0

    def signed(self, payload: bytes) -> Statement:
        statement = Statement(payload, ())
        for key in self.keys.values():
            statement = statement.merged(key.id[:8], key.sign(to_sign(payload, key.id[:8])))
        return statement

    def invent(self, node: Node, message: ledger_pb2.Entry) -> ledger_pb2.SubmitReply:
        """The entry is in, they say; it went nowhere."""
        entry, replica = entry_from_proto(message), node.replica
        index = max(replica.state.size + self.seeded.randint(-2, 2), 0)
        facts: Value = [int(entry.header.body.TYPE), "invented"]
        claim = Claim(
            replica.genesis.ledger[:8], replica.state.era, index, replica.state.log_time, entry.hash, 1,
            int(Outcome.ACCEPTED), facts, os.urandom(32), index, Standing.LIVE,
        )  # fmt: skip
        self.invented[index] = Receipt(self.signed(claim.to_bytes()), {})
        position = max(replica.position, 0) + self.seeded.choice((0, 0, 10**6))
        return ledger_pb2.SubmitReply(
            index=index, statement=self.invented[index].statement.to_bytes(),
            session=ledger_pb2.Session(era=replica.state.era, position=position),
        )  # fmt: skip


class LyingLedger(public.Ledger):
    """Answers, refuses and keeps silent as it likes."""

    def __init__(self, band: Band, node: Node, *rest: Any) -> None:
        super().__init__(node, *rest)
        self._band, self._name = band, node.name

    async def Submit(self, request: ledger_pb2.SubmitRequest, context: Any) -> ledger_pb2.SubmitReply:  # noqa: N802
        if self._band.lies(self._name, "swallow"):
            await asyncio.sleep(3_600)
        if self._band.lies(self._name, "refuse"):
            raise refusal(Outcome.CODE_CONSUMED, final=True, index=1)
        if self._band.lies(self._name, "invent"):
            return self._band.invent(self._node, request.entry)
        return await super().Submit(request, context)

    async def SubmitMany(self, requests: Any, context: Any) -> AsyncIterator[ledger_pb2.SubmitManyReply]:  # noqa: N802
        """Stops in the middle, or tells of each entry what is not so."""
        if self._band.lies(self._name, "swallow"):
            await asyncio.sleep(3_600)
        if self._band.lies(self._name, "invent"):
            async for request in requests:
                replies = [self._band.invent(self._node, entry) for entry in request.entries]
                yield ledger_pb2.SubmitManyReply(answers=[ledger_pb2.Answer(reply=reply) for reply in replies])
            return
        async for reply in super().SubmitMany(requests, context):
            if self._band.lies(self._name, "refuse"):
                return
            yield reply

    async def Receipt(self, request: ledger_pb2.ReceiptRequest, context: Any) -> ledger_pb2.ReceiptReply:  # noqa: N802
        if self._band.lies(self._name, "withhold"):
            raise trouble(Trouble.OUT_OF_RANGE)
        found = self._band.invented.get(request.index)
        if found is not None and self._band.lies(self._name, "invent"):
            return ledger_pb2.ReceiptReply(
                statement=found.statement.to_bytes(), signers=len(found.statement.signatures)
            )
        return await super().Receipt(request, context)


class LyingPeer(public.Peer):
    """Signs nothing or another thing, and misleads replicas that build themselves anew."""

    def __init__(self, band: Band, node: Node, *rest: Any) -> None:
        super().__init__(node, *rest)
        self._band, self._name = band, node.name

    async def SignStatements(  # noqa: N802
        self, request: node_pb2.SignStatementsRequest, context: Any
    ) -> node_pb2.SignStatementsReply:
        if self._band.lies(self._name, "withhold"):
            return node_pb2.SignStatementsReply(signer=self._key.id[:8])
        reply = await super().SignStatements(request, context)
        if self._band.lies(self._name, "forge"):
            for one in reply.statements:
                one.signature = self._key.sign(os.urandom(40))
        return reply

    async def Landmarks(self, request: node_pb2.LandmarksRequest, context: Any) -> node_pb2.LandmarksReply:  # noqa: N802
        reply = await super().Landmarks(request, context)
        if self._band.lies(self._name, "mislead"):
            for one in reply.landmarks:
                one.landmark = bytes(one.landmark[:-1]) + bytes([one.landmark[-1] ^ 1])
        return reply

    async def Entries(self, request: node_pb2.EntriesRequest, context: Any) -> AsyncIterator[node_pb2.KeptEntry]:  # noqa: N802
        """Leaves one out, or alters one, its leaf with it; or stops in the middle."""
        leaves_out = self._band.lies(self._name, "mislead")
        async for kept in super().Entries(request, context):
            if leaves_out and self._band.seeded.random() < 0.1:
                match self._band.seeded.randrange(4):
                    case 0:
                        continue
                    case 1:
                        kept.position += 1
                    case 2:  # the same entry at another time: it gives this leaf, and no tree has it
                        leaf = Leaf.from_bytes(kept.leaf)
                        kept.leaf = replace(leaf, log_time=leaf.log_time + 1).to_bytes()
                    case _:
                        return
            yield kept


class LyingAttesting(Attesting):
    """Tells of a carnet what is not so, and signs it."""

    def __init__(self, band: Band, name: str, ledger: bytes, key: SigningKey) -> None:
        super().__init__(ledger, key)
        self._band, self._name = band, name

    def attested(self, reply: reading_pb2.CarnetReply, request: Any, signers: Any) -> reading_pb2.CarnetReply:
        if reply.state and self._band.lies(self._name, "tell"):
            reply.state = replace(CarnetState.from_bytes(reply.state), blocked=True).to_bytes()
        return super().attested(reply, request, signers)


def corrupt(band: Band, node: Node) -> None:
    """What a liar's own groups say: another root than the tree's."""
    sign = node.proposer._sign_checkpoint

    async def another_root() -> Cosignature | None:
        honest = await sign()
        if honest is None or not band.lies(node.name, "root"):
            return honest
        log = origin(node.replica.genesis.ledger, node.replica.state.era)
        other = Checkpoint(log, honest.size, sha256(honest.root))
        return replace(honest, root=other.root, signature=other.sign(band.keys[node.name]))

    node.proposer._sign_checkpoint = another_root


async def rubbish(band: Band, node: Node) -> None:
    """Entries that nobody signed, over and over."""
    while True:
        await asyncio.sleep(band.seeded.uniform(0.2, 2))
        if node.submitting is not None and band.lies(node.name, "rubbish"):
            message = ledger_pb2.Entry(header=os.urandom(60))
            waiting = asyncio.ensure_future(node.proposer.propose(message, frame_of(message)))
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
