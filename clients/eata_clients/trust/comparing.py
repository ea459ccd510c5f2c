"""What one node tells of a carnet, compared with others in the same breath: so many that an honest one is among them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from eata_ledger import told
from eata_ledger.encoding import sha256
from eata_ledger.log.genesis import Charter
from eata_ledger.log.keys import verify
from eata_ledger.proof.reading import to_sign
from eata_proto.v1 import ledger_pb2, reading_pb2, reading_pb2_grpc

from eata_clients.authoring.clearing import Desk
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.transport import Method, Transport, newest

_ROUNDS, _SECONDS = 3, 3.0
_PAGES = 256
Ask = Callable[[bytes], ledger_pb2.SignedRequest]


@dataclass(frozen=True)
class Agreed:
    """A reply, and how many of the nodes tell the same; `differing` names those that told otherwise."""

    reply: reading_pb2.CarnetReply
    by: int
    nodes: int
    needed: int
    differing: tuple[str, ...] = ()

    @property
    def sure(self) -> bool:
        """An honest node is among those that tell it."""
        return self.by >= self.needed

    @property
    def standing(self) -> str:
        """For a person."""
        return f"told alike by {self.by} of {self.nodes} nodes"


@dataclass(frozen=True)
class _Word:
    """One node's attested word."""

    node: str
    digest: bytes
    attestation: bytes
    session: ledger_pb2.Session


class Comparing:
    """One reader's question, put to several nodes; `ask` signs it anew for each round and page (by its cursor)."""

    def __init__(
        self, transport: Transport, charter: Charter, method: Method[reading_pb2.CarnetReply], name: str, ask: Ask
    ) -> None:
        self._transport, self._charter, self._method, self._name, self._ask = transport, charter, method, name, ask
        self._cursor = b""

    async def agreed(self) -> Agreed:
        """The nearest node's reply where others tell the same, else what most tell. Raises `EataError`."""
        for more in reversed(range(_ROUNDS)):
            try:
                return await self._whole_of()
            except Untrusted:
                if not more:  # it was more than a carnet that moves on while it is asked for
                    raise
        raise AssertionError("unreachable")

    async def _whole_of(self) -> Agreed:
        """Page after page. Raises `Untrusted` where the carnet has moved on between two of them."""
        self._cursor = b""
        found = await self._compared()
        for _ in range(_PAGES):
            self._cursor = found.reply.next
            if not self._cursor:
                return found
            page = await self._compared()
            if _head(page.reply) != _head(found.reply):
                raise Untrusted("the carnet has changed between two pages")
            found = _joined(found, page)
        raise Untrusted("a reply does not end")

    async def _compared(self) -> Agreed:
        needed = self._charter.one_honest
        await self._transport.near()
        request = self._ask(self._cursor)
        beside = [asyncio.ensure_future(self._word(name, request)) for name in self._transport.nearest[1:needed]]
        try:
            reply, own = await self._first()
            words = {word.node: word for word in await asyncio.gather(*beside) if word is not None}
        finally:
            for task in beside:
                task.cancel()
        words[own.node] = own
        if len({word.digest for word in words.values()}) > 1 or len(words) < needed:
            words = await self._all(words)
        return await self._settled(words, reply, own)

    async def _first(self) -> tuple[reading_pb2.CarnetReply, _Word]:
        """The whole reply of a node that stands by it. A refusal counts once so many give it that one is honest."""
        passed: dict[str, EataError] = {}
        while True:
            request = self._ask(self._cursor)
            try:
                reply, node = await self._transport.ask(self._method, request, passed)
            except EataError as error:
                if error.retryable or not error.node:
                    raise next(iter(passed.values()), error) from None
                passed[error.node] = error
                if len(passed) >= self._charter.one_honest:
                    raise
                continue
            try:
                word = self._attested(node, request, reply)
            except Untrusted as error:
                passed[node] = error
                self._transport.suspicions.keep(node, f"answered what does not verify ({error.message})")
                continue
            return reply, word

    async def _all(self, words: dict[str, _Word]) -> dict[str, _Word]:
        """Every node's word, as of a state that an honest one has shown: honest ones agree on that."""
        for _ in range(_ROUNDS):
            request = self._ask(self._cursor)
            found = await asyncio.gather(*(self._word(name, request) for name in self._transport.nearest))
            words = {word.node: word for word in found if word is not None} or words
            if len({word.digest for word in words.values()}) == 1:
                break
            shown = sorted((word.session for word in words.values()), key=newest, reverse=True)
            if len(shown) >= self._charter.one_honest:  # fewer may claim what nobody has reached
                self._transport.carry(shown[self._charter.one_honest - 1])
        return words

    async def _settled(self, words: dict[str, _Word], reply: reading_pb2.CarnetReply, own: _Word) -> Agreed:
        """The reply that most tell; who tells otherwise is kept as evidence, once an honest node is among the most."""
        digests = [word.digest for word in words.values()]
        most = max(digests, key=lambda digest: (digests.count(digest), digest == own.digest))
        by = digests.count(most)
        differing = tuple(sorted(name for name, word in words.items() if word.digest != most))
        if told.digest_of(reply) != most:
            reply = await self._whole(next(name for name, word in words.items() if word.digest == most), most)
        if by >= self._charter.one_honest:
            against = next(word for word in words.values() if word.digest == most)
            for name in differing:
                self._transport.suspicions.keep(
                    name, "told of a carnet what others contradict", said=words[name].attestation,
                    against=against.attestation,
                )  # fmt: skip
        return Agreed(reply, by, len(self._charter.nodes), self._charter.one_honest, differing)

    async def _whole(self, node: str, digest: bytes) -> reading_pb2.CarnetReply:
        request = self._ask(self._cursor)
        reply = await self._transport.at(node, self._method, request)
        if self._attested(node, request, reply).digest != digest:
            raise Untrusted("the nodes contradict each other, and themselves")
        return reply

    async def _word(self, name: str, request: ledger_pb2.SignedRequest) -> _Word | None:
        """None from a node that does not answer, or not in time, or without a word that verifies."""
        alone = ledger_pb2.SignedRequest()
        alone.CopyFrom(request)
        alone.digest_only = True
        try:
            return self._attested(name, request, await self._transport.at(name, self._method, alone, _SECONDS))
        except EataError:
            return None

    def _attested(self, name: str, request: ledger_pb2.SignedRequest, reply: reading_pb2.CarnetReply) -> _Word:
        """The node's word for this reply to this request. Raises `Untrusted`."""
        attestation, at = reply.attestation, reply.session
        if reply.record and told.digest_of(reply) != attestation.digest:
            raise Untrusted(f"{name} signed another reply than it gave")
        record = self._charter.by_kid.get(attestation.kid)
        asked = sha256(to_sign(self._charter.ledger, self._name, request.body, request.time, request.nonce))
        message = told.to_sign(self._charter.ledger, asked, attestation.digest, at.era, at.position)
        if record is None or not verify(self._charter.statement_keys[attestation.kid], attestation.signature, message):
            raise Untrusted(f"{name} does not stand by its reply")
        return _Word(record.name, attestation.digest, reply.attestation.SerializeToString(), at)


def _head(reply: reading_pb2.CarnetReply) -> tuple[bytes, bytes, bytes, list[bytes]]:
    return reply.record, reply.state, reply.holder, list(reply.stays)


def _joined(found: Agreed, page: Agreed) -> Agreed:
    """One reply of two pages, as sure as the less sure of them."""
    reply, more = reading_pb2.CarnetReply(), reading_pb2.CarnetReply()
    reply.CopyFrom(found.reply)
    more.CopyFrom(page.reply)
    for repeated in ("stays", "links", "presentations", "next"):
        more.ClearField(repeated)
    reply.ClearField("next")
    reply.MergeFrom(more)
    reply.next = page.reply.next
    differing = tuple(sorted({*found.differing, *page.differing}))
    return Agreed(reply, min(found.by, page.by), found.nodes, found.needed, differing)


async def seen_by_territory(
    transport: Transport, charter: Charter, desk: Desk, carnet_id: int
) -> reading_pb2.CarnetReply:  # fmt: skip
    """What a desk's territory may see of a carnet it has met, for its opener."""
    name = "/eata.v1.Customs/Carnet"

    def ask(cursor: bytes) -> ledger_pb2.SignedRequest:
        query = reading_pb2.CarnetQuery(carnet_id=carnet_id, cursor=cursor)
        return transport.signed(name, query.SerializeToString(), [desk.key], desk.certificate)

    return (
        await Comparing(transport, charter, lambda c: reading_pb2_grpc.CustomsStub(c).Carnet, name, ask).agreed()
    ).reply
