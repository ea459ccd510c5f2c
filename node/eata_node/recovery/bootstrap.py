"""A replica whose next group the log no longer has: it takes entries from its peers up to a landmark, and follows from there.

Nothing of a peer is believed: every entry is applied here and must give the leaf it came with, and what is written must
be the beginning of the tree whose root more than half of the nodes have signed: a proof comes with every few entries. Who
lies is passed over, and leaves nothing behind. What is interrupted goes on where it stopped.
"""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import takewhile

import grpc.aio
import structlog
from eata_ledger.encoding import Malformed
from eata_ledger.log.genesis import Charter
from eata_ledger.log.keys import SigningKey
from eata_ledger.log.opening import EraOpening
from eata_ledger.wire import entry_from_proto
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc, node_pb2, node_pb2_grpc

from eata_node.recovery.fetching import Fetching, Tree
from eata_node.replica import eras, landmarks
from eata_node.replica.landmarks import Vouched
from eata_node.replica.replica import Replica

_PEER_SECONDS = 5.0
_AT_ONCE = 64  # entries a write
log = structlog.get_logger()


class OtherHistory(Exception):
    """More is here than the era knows: a part of this store is orphaned."""


class Bootstrap:
    """For one replica; its node serves nothing meanwhile."""

    def __init__(self, replica: Replica, peers: Mapping[str, grpc.aio.Channel]) -> None:
        self._replica, self.fetching = replica, Fetching(replica)
        self._peers = {name: node_pb2_grpc.PeerStub(channel) for name, channel in peers.items()}
        self._proofs = {name: ledger_pb2_grpc.LedgerStub(channel) for name, channel in peers.items()}
        self._told_charter = replica.charter
        self.wanted = 0  # entries it fetches up to; 0 before it knows

    async def run(self) -> None:
        """Until the replica stands at a landmark; waits for peers as long as it takes. Raises `Divergence`."""
        replica = self._replica
        while not replica.halted:
            vouched = await self._vouched()
            if vouched is not None and self._ahead(vouched):
                replica.vouch(vouched)  # what is begun here can be ended, whoever is lost meanwhile
                await self._fetch(Tree(vouched.landmark.size, vouched.landmark.root))
                if replica.fetched == vouched.landmark.size:
                    self.fetching.stand_at(vouched, self._charter)
                    log.info("bootstrapped", position=replica.position, size=replica.state.size)
                    return
            await asyncio.sleep(0.5)

    def _ahead(self, vouched: Vouched) -> bool:
        """Not behind what was fetched towards a newer landmark, whose peers may be away now: their entries' facts are here."""
        landmark = vouched.landmark
        return landmark.position > self._replica.position and landmark.size >= self._replica.fetched

    async def enter(self, data: bytes) -> None:
        """A new era: what of its tree is missing here comes from the peers. Raises `Divergence`, `OtherHistory`."""
        opening = EraOpening.from_bytes(data).era
        if self._replica.fetched > opening.size:
            raise OtherHistory(f"{self._replica.fetched} entries are here, era {opening.era} opens over {opening.size}")
        while self._replica.fetched < opening.size:
            await self._fetch(Tree(opening.size, opening.root))
            await asyncio.sleep(0.2)
        self.fetching.enter(data)
        log.info("era entered", era=opening.era, size=opening.size)

    @property
    def _charter(self) -> Charter:
        """The newest node set that the root has signed, as far as it is known here or was told."""
        return max(self._replica.charter, self._told_charter, key=lambda charter: charter.serial)

    async def _vouched(self) -> Vouched | None:
        told = await self._told()
        return landmarks.newest([*self._replica.landmarks(), *told], self._charter)

    async def gather(self) -> None:
        """Brings the peers' signatures of this replica's newest landmarks, so that one replica alone can show enough."""
        kept, charter = self._replica.landmarks(), self._replica.charter
        unsigned = list(takewhile(lambda one: one.signers(charter) < charter.enough, reversed(kept)))
        if not unsigned:
            return
        mine = {one.encoded for one in unsigned}
        told = await self._told(unsigned[-1].landmark.position)
        for one in landmarks.merged([*unsigned, *(one for one in told if one.encoded in mine)]):
            self._replica.keep_signatures(one)

    async def held(self, positions: list[int]) -> int:
        """The first of these whose landmark enough replicas, this one among them, can each show with enough signatures.

        They may be lost one by one then. 0 where there is none.
        """
        charter = self._replica.charter
        mine = {one.landmark.position: one.encoded for one in self._replica.landmarks()}
        told = await self._told(min(positions))
        for position in positions:
            same = [one for one in told if one.encoded == mine.get(position)]
            if 1 + sum(one.signers(charter) >= charter.enough for one in same) >= charter.enough:
                return position
        return 0

    async def _told(self, from_position: int = 0) -> list[Vouched]:
        asked = await asyncio.gather(*(self._ask(name, from_position) for name in self._peers))
        return [one for told in asked for one in told]

    async def _ask(self, name: str, from_position: int) -> list[Vouched]:
        request = node_pb2.LandmarksRequest(from_position=from_position)
        try:
            reply = await self._peers[name].Landmarks(request, timeout=_PEER_SECONDS)
        except grpc.aio.AioRpcError:
            return []
        self._learn_eras(reply.openings)
        told = eras.told_charter(self._replica.genesis, reply.decisions)
        if told.serial > self._told_charter.serial:
            self._told_charter = told
        found = (Vouched(one.landmark, {s.signer: s.signature for s in one.signatures}) for one in reply.landmarks)
        return [one for one in found if one.reads]

    def _learn_eras(self, told: Iterable[bytes]) -> None:
        """How eras were opened while this replica was away, by the root of their day."""
        replica = self._replica
        known = replica.store.openings()
        if not replica.serving or len(known) >= replica.state.era:
            return
        for data in eras.genuine(replica.store, replica.genesis, told):
            if data not in known:
                replica.store.put_opening(EraOpening.from_bytes(data).era.era, data)
        replica.store.commit()

    async def _fetch(self, tree: Tree) -> None:
        """Tries one peer after the other until every entry of the tree is here and applied, or none has more."""
        self.wanted = tree.size
        for peer in self._peers:
            if self._replica.fetched == tree.size:
                return
            try:
                await self._take(peer, tree)
            except grpc.aio.AioRpcError as error:
                log.warning("a peer's entries end early", peer=peer, why=error.code().name)
            except TimeoutError:
                log.warning("a peer's entries end early", peer=peer, why="it says nothing more")
            except Malformed as error:
                log.warning("a peer's entries end early", peer=peer, why=str(error)[:120])

    async def _take(self, peer: str, tree: Tree) -> None:
        """Raises `TimeoutError` for a peer that says nothing more, `Malformed` for what is not of the tree."""
        request = node_pb2.EntriesRequest(from_index=self._replica.fetched, to_index=tree.size)
        kept: list[node_pb2.KeptEntry] = []
        entries = aiter(self._peers[peer].Entries(request))
        try:
            while True:
                async with asyncio.timeout(_PEER_SECONDS):
                    message = await anext(entries, None)
                if message is None:
                    return
                kept.append(message)
                if len(kept) >= _AT_ONCE:
                    some, kept = kept, []
                    await self._write(peer, some, tree)
        finally:  # of a stream that breaks, what came is kept
            await self._write(peer, kept, tree)

    async def _write(self, peer: str, kept: list[node_pb2.KeptEntry], tree: Tree) -> None:
        """With the peer's proof that the tree, and no other, begins so."""
        if not kept:
            return
        entries = [(one.position, entry_from_proto(one.entry, erased=True), one.leaf) for one in kept]
        request = ledger_pb2.ConsistencyRequest(old_size=self._replica.fetched + len(kept), new_size=tree.size)
        proof = await self._proofs[peer].Consistency(request, timeout=_PEER_SECONDS)
        self.fetching.take_entries(entries, tree, list(proof.hashes))


def own(replica: Replica, told: range, key: SigningKey) -> list[node_pb2.Landmark]:
    """This node's landmarks at the positions told, with every signature it knows, its own among them.

    What is told is fsynced here: so its signatures are as many replicas that survive a power cut.
    """
    return [
        node_pb2.Landmark(
            landmark=kept.encoded,
            signatures=[
                node_pb2.LandmarkSignature(signer=signer, signature=signature)
                for signer, signature in {
                    **kept.signatures, key.id[:8]: landmarks.sign(key, kept.encoded)
                }.items()
            ],
        )
        for kept in replica.landmarks()
        if kept.landmark.position in told
    ]  # fmt: skip
