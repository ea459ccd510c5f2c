"""Storing and fetching sealed documents: who may, then bytes by their SHA-256."""

import asyncio
from collections.abc import Callable, Mapping

import grpc.aio
from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import sha256
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import Attach
from eata_ledger.log.entry import Header
from eata_ledger.log.keys import SigningKey
from eata_ledger.outcomes import Outcome
from eata_ledger.proof.stored import to_sign
from eata_ledger.rules.keeping import SEALED_LARGEST
from eata_ledger.state import Shredded
from eata_proto.v1 import blobs_pb2, blobs_pb2_grpc, ledger_pb2, node_pb2, node_pb2_grpc

from eata_node.replica.blobs import OF_CARNET, OF_ISSUER, Blobs
from eata_node.replica.replica import Replica
from eata_node.rpc.errors import Context, Trouble, refusal, trouble
from eata_node.rpc.limits import Limit
from eata_node.services.carnets import Carnets
from eata_node.services.excerpts import Wanted
from eata_node.services.rights import Rights

_PEER_SECONDS = 5.0


class BlobsService(blobs_pb2_grpc.BlobsServicer):
    """Put answers with this node's storage receipt; Get fetches from a peer what is not here yet."""

    def __init__(
        self, replica: Replica, rights: Rights, carnets: Carnets, folder: Blobs, key: SigningKey,
        peers: Mapping[str, grpc.aio.Channel], clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self._replica, self._rights, self._folder, self._key = replica, rights, folder, key
        self._carnets, self._clock = carnets, clock
        self._peers = [node_pb2_grpc.PeerStub(channel) for channel in peers.values()]

    async def Put(self, request: ledger_pb2.SignedRequest, context: Context) -> blobs_pb2.BlobReceipt:  # noqa: N802
        query = blobs_pb2.BlobPut.FromString(request.body)
        if not 1 <= len(query.content) <= SEALED_LARGEST:
            raise refusal(Outcome.ATTACHMENT_TOO_LARGE)
        granted = await self._rights.require(request, "/eata.v1.Blobs/Put", query)
        for key in granted.signers.verified:
            self._rights.limits.charge(Limit.BLOB_BYTES, key, len(query.content))
        self._require_kept(query.carnet_id)
        owner, budget = f"carnet {query.carnet_id}", OF_CARNET
        if granted.organisation is not None:
            owner, budget = granted.organisation.code, OF_ISSUER
        if self._folder.full(len(query.content), owner, budget):
            raise trouble(Trouble.RATE_LIMITED, "Too many documents wait to be attached here.")
        digest, time = sha256(query.content), self._clock()
        self._folder.reserve(digest, len(query.content), owner)
        await asyncio.to_thread(self._folder.keep, digest, query.content)
        signed = self._key.sign(to_sign(self._replica.genesis.ledger, digest, len(query.content), time))
        return blobs_pb2.BlobReceipt(kid=self._key.id[:8], signature=signed, time=time)

    async def List(self, request: ledger_pb2.SignedRequest, context: Context) -> blobs_pb2.BlobsReply:  # noqa: N802
        query = blobs_pb2.BlobQuery.FromString(request.body)
        await self._rights.require(request, "/eata.v1.Blobs/List", query)
        self._require_kept(query.carnet_id)
        excerpts, reply = self._carnets.excerpts(), blobs_pb2.BlobsReply()
        for index in self._carnets.attached(query.carnet_id):
            excerpts.add(Wanted(index, frozenset({Label.ATTACHMENT})))
        excerpts.into(reply.entries)
        return reply

    async def Get(self, request: ledger_pb2.SignedRequest, context: Context) -> blobs_pb2.BlobReply:  # noqa: N802
        query = blobs_pb2.BlobQuery.FromString(request.body)
        await self._rights.require(request, "/eata.v1.Blobs/Get", query)
        self._require_kept(query.carnet_id)
        if query.blob not in self._attached(query.carnet_id):
            raise trouble(Trouble.NOT_FOUND, "The carnet has no such document.")
        content = await asyncio.to_thread(self._folder.get, query.blob)
        if content is None:
            content = await self._fetch(query.blob)
        return blobs_pb2.BlobReply(content=content)

    def _require_kept(self, carnet_id: int) -> None:
        if Facts(self._replica.store).get(Shredded, carnet_id) is not None:
            raise refusal(Outcome.CARNET_ERASED)

    def _attached(self, carnet_id: int) -> set[bytes]:
        digests = set()
        for index in self._carnets.attached(carnet_id):
            stored = self._replica.store.entry(index)
            body = None if stored is None else Header.from_bytes(stored.header).body
            if isinstance(body, Attach):
                digests.add(body.blob)
        return digests

    async def _fetch(self, digest: bytes) -> bytes:
        """From any peer that has it; kept here from now on."""
        for peer in self._peers:
            try:
                reply = await peer.Blob(node_pb2.BlobRequest(digest=digest), timeout=_PEER_SECONDS)
            except grpc.aio.AioRpcError:
                continue
            if sha256(reply.content) == digest:
                await asyncio.to_thread(self._folder.keep, digest, reply.content)
                return bytes(reply.content)
        raise trouble(Trouble.NOT_READY, "No node that answers has this document.")
