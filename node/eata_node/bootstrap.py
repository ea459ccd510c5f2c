"""A replica whose next group the log no longer has: it takes entries from its peers up to a landmark, and follows from there.

Nothing of a peer is believed: every entry is applied here and must give the leaf it came with, and the root at the end
must be the one that more than half of the nodes have signed. What is interrupted goes on where it stopped.
"""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import takewhile

import grpc.aio
import structlog
from eata_ledger.encoding import Malformed
from eata_ledger.proof.keys import SigningKey
from eata_ledger.proof.opening import Opening
from eata_ledger.wire import entry_from_proto
from eata_proto.v1 import node_pb2, node_pb2_grpc

from eata_node import eras, landmarks
from eata_node.fetching import Fetching
from eata_node.landmarks import Vouched
from eata_node.replica import Divergence, Replica

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
        self.wanted = 0  # entries it fetches up to; 0 before it knows

    async def run(self) -> None:
        """Until the replica stands at a landmark; waits for peers as long as it takes. Raises `Divergence`."""
        replica = self._replica
        while not replica.halted:
            vouched = await self._vouched()
            if vouched is not None and self._ahead(vouched):
                replica.vouch(vouched)  # what is begun here can be ended, whoever is lost meanwhile
                if await self._fetched(vouched):
                    self.fetching.stand_at(vouched)
                    log.info("bootstrapped", position=replica.position, size=replica.state.size)
                    return
            await asyncio.sleep(0.5)

    def _ahead(self, vouched: Vouched) -> bool:
        """Not behind what was fetched towards a newer landmark, whose peers may be away now: their entries' facts are here."""
        landmark = vouched.landmark
        return landmark.position > self._replica.position and landmark.size >= self._replica.fetched

    async def enter(self, data: bytes) -> None:
        """A new era: what of its tree is missing here comes from the peers. Raises `Divergence`, `OtherHistory`."""
        opening = Opening.from_bytes(data).era
        if self._replica.fetched > opening.size:
            raise OtherHistory(f"{self._replica.fetched} entries are here, era {opening.era} opens over {opening.size}")
        while self._replica.fetched < opening.size:
            await self._fetch(opening.size)
            await asyncio.sleep(0.2)
        self.fetching.enter(data)
        log.info("era entered", era=opening.era, size=opening.size)

    async def _vouched(self) -> Vouched | None:
        told = await self._told()
        try:
            return landmarks.newest([*self._replica.landmarks(), *told], self._replica.charter)
        except Malformed as error:
            log.warning("a peer's landmark does not read", why=str(error))
            return None

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
        return [Vouched(one.landmark, {s.signer: s.signature for s in one.signatures}) for one in reply.landmarks]

    def _learn_eras(self, told: Iterable[bytes]) -> None:
        """How eras were opened while this replica was away, by the root of their day."""
        replica = self._replica
        known = replica.store.openings()
        if not replica.serving or len(known) >= replica.state.era:
            return
        for data in eras.genuine(replica.store, replica.genesis, told):
            if data not in known:
                replica.store.put_opening(Opening.from_bytes(data).era.era, data)
        replica.store.commit()

    async def _fetched(self, vouched: Vouched) -> bool:
        """True once every entry below the landmark is here and applied."""
        size = vouched.landmark.size
        await self._fetch(size)
        if self._replica.fetched < size:
            return False
        if self._replica.store.root(size) != vouched.landmark.root:
            raise Divergence(f"what was fetched has not the root that was signed at {size}")
        return True

    async def _fetch(self, size: int) -> None:
        """Tries one peer after the other until every entry below `size` is here and applied, or none has more."""
        self.wanted = size
        for peer in self._peers:
            if self._replica.fetched == size:
                return
            try:
                await self._take(peer, size)
            except grpc.aio.AioRpcError as error:
                log.warning("a peer's entries end early", peer=peer, why=error.code().name)
            except TimeoutError:
                log.warning("a peer's entries end early", peer=peer, why="it says nothing more")
            except Malformed as error:
                log.warning("a peer's entries end early", peer=peer, why=str(error)[:120])

    async def _take(self, peer: str, size: int) -> None:
        """Raises `TimeoutError` for a peer that says nothing more."""
        request = node_pb2.EntriesRequest(from_index=self._replica.fetched, to_index=size)
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
                    self._write(kept, size)
                    kept = []
                    await asyncio.sleep(0)
        finally:  # of a stream that breaks, what came is kept
            self._write(kept, size)

    def _write(self, kept: list[node_pb2.KeptEntry], size: int) -> None:
        entries = [(one.position, entry_from_proto(one.entry, erased=True), one.leaf) for one in kept]
        self.fetching.take_entries(entries, size)


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
