"""Attachments: sealed here, stored on several nodes, fetched from any, opened here (N-01, APP-22)."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import grpc.aio
from eata_ledger.carnet.vocabulary import Label, Purpose
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.bodies import Attach, StorageReceipt
from eata_ledger.log.genesis import Charter
from eata_ledger.log.keys import SigningKey, verify
from eata_ledger.proof.stored import to_sign
from eata_ledger.rules.keeping import LARGEST_ATTACHMENT
from eata_ledger.seal.aead import CannotOpen, unseal
from eata_proto.v1 import blobs_pb2, blobs_pb2_grpc, ledger_pb2

from eata_clients.authoring.keeping import AttachmentContent, blob_context, media_of
from eata_clients.net.errors import EataError, Untrusted, from_rpc
from eata_clients.net.transport import Transport
from eata_clients.opened.parts import Excerpts
from eata_clients.trust.authors import Authors

_STORE_SECONDS = 30.0


@dataclass(frozen=True)
class Document:
    """An attachment as a reader sees it; `blob` is the SHA-256 of its sealed bytes."""

    blob: bytes
    version: int
    content: AttachmentContent


def check_document(name: str, data: bytes) -> None:
    """A PDF or JPEG of at most 5 MB. Raises `Malformed`."""
    if not 1 <= len(data) <= LARGEST_ATTACHMENT:
        raise Malformed("a document has 1 byte to 5 MB")
    if media_of(data) is None:
        raise Malformed("a document is a PDF or a JPEG")
    if not 1 <= len(name) <= 200:
        raise Malformed("a document's name has 1 to 200 characters")


async def store(
    transport: Transport, charter: Charter, signers: Sequence[SigningKey], carnet_id: int, blob: bytes
) -> tuple[StorageReceipt, ...]:
    """Storage receipts of so many nodes that an honest one is among them, the nearest first. Raises `EataError`."""
    body = blobs_pb2.BlobPut(carnet_id=carnet_id, content=blob).SerializeToString()
    found: dict[bytes, StorageReceipt] = {}
    last: EataError | None = None
    for name in [node for node in transport.nearest if node in {n.name for n in charter.nodes}]:
        request = transport.signed("/eata.v1.Blobs/Put", body, signers)
        try:
            reply = await blobs_pb2_grpc.BlobsStub(transport.channel(name)).Put(request, timeout=_STORE_SECONDS)
        except grpc.aio.AioRpcError as error:
            last = from_rpc(error)
            if not last.retryable:
                raise last from None
            continue
        record = charter.by_kid.get(reply.kid)
        message = to_sign(charter.ledger, sha256(blob), len(blob), reply.time)
        if record is not None and verify(record.key(Purpose.STATEMENT), reply.signature, message):
            found[reply.kid] = StorageReceipt(reply.kid, reply.signature, reply.time)
        if len(found) == charter.one_honest:
            return tuple(found[kid] for kid in sorted(found))
    raise last or EataError("RECEIPTS_MISSING", "Too few nodes hold this document.", "Try again.", retryable=True)


@dataclass(frozen=True)
class DocumentReader:
    """Who asks for a carnet's documents: the keys that sign, and a desk's certificate and the voucher it was shown."""

    signers: Sequence[SigningKey]
    certificate: bytes = b""
    voucher_key: bytes = b""

    def request(self, transport: Transport, method: str, carnet_id: int, blob: bytes = b"") -> ledger_pb2.SignedRequest:
        query = blobs_pb2.BlobQuery(carnet_id=carnet_id, blob=blob, voucher_key=self.voucher_key)
        return transport.signed(f"/eata.v1.Blobs/{method}", query.SerializeToString(), self.signers, self.certificate)


async def documents(
    transport: Transport, authors: Authors, carnet_id: int, reader: DocumentReader, content_key: bytes
) -> list[Document]:  # fmt: skip
    """A carnet's documents, of those that open with this content key; each under its own signed header."""
    request = reader.request(transport, "List", carnet_id)
    reply = await transport.call(lambda channel: blobs_pb2_grpc.BlobsStub(channel).List, request)
    found = []
    for part in Excerpts(reply.entries, transport.network.ledger, authors).every(Label.ATTACHMENT):
        body = part.header.body
        if isinstance(body, Attach) and body.carnet_id == carnet_id:
            with suppress(Untrusted, Malformed):
                content = AttachmentContent.from_bytes(part.unsealed(content_key, carnet_id))
                found.append(Document(body.blob, part.info.slot, content))
    return found


async def fetch(transport: Transport, document: Document, carnet_id: int, reader: DocumentReader) -> bytes:
    """The document's own bytes, checked against what was signed. Raises `Untrusted`."""
    request = reader.request(transport, "Get", carnet_id, document.blob)
    reply = await transport.call(lambda channel: blobs_pb2_grpc.BlobsStub(channel).Get, request)
    if sha256(reply.content) != document.blob:
        raise Untrusted("the document is not the one that was attached")
    place = blob_context(transport.network.ledger, carnet_id, document.version)
    try:
        return await asyncio.to_thread(unseal, document.content.key, place, reply.content)
    except CannotOpen as error:
        raise Untrusted(str(error)) from None
