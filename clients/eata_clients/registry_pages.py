"""The registry from the nodes: page by page, complete under a head that so many nodes give that one of them is honest."""

import asyncio
import time
from collections.abc import Sequence

from eata_ledger.encoding import sha256
from eata_ledger.proof.genesis import Charter, Genesis
from eata_ledger.proof.keys import verify
from eata_ledger.proof.registered import to_sign
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc
from google.protobuf.message import DecodeError

from eata_clients.errors import EataError, Unreachable, Untrusted
from eata_clients.registry import Registry
from eata_clients.transport import Transport

_FRESH_SECONDS, _HEAD_SECONDS = 60, 2.0
_TRIES = 3
Heads = dict[str, ledger_pb2.RegistryHeadReply]  # by node


class Kept:
    """The registry as a long-lived client keeps it: what is new is fetched after a minute, or when it may be stale."""

    def __init__(self, transport: Transport) -> None:
        self._transport, self._registry, self._at = transport, None, 0.0
        self._fetching = asyncio.Lock()

    _registry: Registry | None

    async def get(self) -> Registry:
        async with self._fetching:
            if self._registry is None or time.monotonic() - self._at > _FRESH_SECONDS:
                self._registry, self._at = await fetch(self._transport, self._registry), time.monotonic()
            return self._registry

    def forget(self) -> None:
        """The next look asks the nodes again."""
        self._at = float("-inf")


async def fetch(transport: Transport, known: Registry | None = None) -> Registry:
    """The registry, verified against the pinned ledger; `known` is what the client has, and is brought up to date.

    With fewer nodes there than it takes to have an honest one among them, it is as complete as those say (`attested`).
    Raises `Untrusted`, `EataError`.
    """
    await transport.near()
    liars = (len(transport.network.nodes) - 1) // 2
    heads = await _heads(transport, 2 * liars + 1)
    if not heads:
        raise Unreachable("")
    counts = sorted((head.count for head in heads.values()), reverse=True)
    count = max(counts[min(liars, len(counts) - 1)], 0 if known is None else known.count)
    agreed = await _at(transport, heads, count)
    registry = await _up_to(transport, known, count, agreed)
    registry.attested = _attested(transport, registry, agreed)
    times = sorted((head.log_time for head in heads.values()), reverse=True)
    registry.log_time = max(registry.log_time, times[min(liars, len(times) - 1)])
    return registry


def read_registry(data: bytes, ledger: bytes) -> Registry:
    """A registry that was kept (`Registry.raw`), judged again. Raises `Untrusted`."""
    try:
        reply = ledger_pb2.RegistryReply.FromString(data)
    except DecodeError:
        raise Untrusted("the registry that was kept does not read") from None
    registry = _begun(reply, ledger)
    registry.take_all(reply.entries)
    return registry


def _begun(reply: ledger_pb2.RegistryReply, ledger: bytes) -> Registry:
    if sha256(reply.genesis) != ledger:
        raise Untrusted("the genesis is not the pinned one")
    return Registry(Genesis.from_bytes(reply.genesis), reply.log_time)


async def _heads(transport: Transport, enough: int, count: int = 0, names: Sequence[str] | None = None) -> Heads:
    """What the nodes say of the registry, until `enough` have answered; of so many entries, or of all."""

    async def ask(name: str) -> tuple[str, ledger_pb2.RegistryHeadReply | None]:
        request = ledger_pb2.RegistryHeadRequest(count=count)
        try:
            return name, await transport.at(
                name, lambda channel: ledger_pb2_grpc.LedgerStub(channel).RegistryHead, request, _HEAD_SECONDS
            )
        except EataError:
            return name, None

    asked = [asyncio.ensure_future(ask(name)) for name in (transport.nearest if names is None else names)]
    found: Heads = {}
    try:
        for answered in asyncio.as_completed(asked):
            name, head = await answered
            if head is not None:
                found[name] = head
            if len(found) >= enough:
                break
    finally:
        for task in asked:
            task.cancel()
    return found


async def _at(transport: Transport, heads: Heads, count: int) -> Heads:
    """The heads of just so many entries, of those who have as many."""
    further = [name for name, head in heads.items() if head.count > count]
    there = {name: head for name, head in heads.items() if head.count == count}
    return there | (await _heads(transport, len(further), count, further) if further and count else {})


async def _up_to(transport: Transport, known: Registry | None, count: int, agreed: Heads) -> Registry:
    """From the nearest node whose pages lead to the head that most give. Raises `Untrusted`."""
    told = [head.head for head in agreed.values()]
    most = max(set(told), key=told.count, default=b"")
    if known is not None:
        known.forget_unsettled()
        if known.count == count:
            return known
    avoid: dict[str, str] = {}
    for _ in range(min(_TRIES, len(transport.network.nodes))):
        registry, node = await _pages(transport, known, count, avoid)
        if registry is not None and (not most or registry.head_at(count) == most):
            registry.settle()
            return registry
        if registry is not None:
            registry.forget_unsettled()
        avoid[node] = "told of a registry that leaves something out"
        transport.suspicions.keep(node, avoid[node])
    raise Untrusted("no node's registry is the one that the others vouch for")


async def _pages(
    transport: Transport, known: Registry | None, count: int, avoid: dict[str, str]
) -> tuple[Registry | None, str]:  # fmt: skip
    """What one node hands out, chained and not judged yet; None where it does not reach so far."""
    registry, node = known, ""
    while registry is None or registry.pending < count:
        at = 0 if registry is None else registry.pending
        request = ledger_pb2.RegistryRequest(session=transport.session, from_count=at)
        if node:
            reply = await transport.at(node, lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry, request)
        else:
            reply, node = await transport.ask(
                lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry, request, avoid
            )
        registry = _begun(reply, transport.network.ledger) if registry is None else registry
        if not reply.entries:
            return (registry if registry.pending >= count else None), node
        registry.chain(reply.entries[: count - at])
    return registry, node


def _attested(transport: Transport, registry: Registry, agreed: Heads) -> int:
    """How many nodes vouch for this head with their signatures; who signed another one is kept as evidence."""
    good, head = 0, registry.head_at(registry.count)
    for name, told in agreed.items():
        signed = _signed(registry.charter, told)
        good += signed and told.head == head
        if signed and told.head != head:
            transport.suspicions.keep(name, "told of a registry that others contradict", said=told.SerializeToString())
    return good


def _signed(charter: Charter, told: ledger_pb2.RegistryHeadReply) -> bool:
    key = charter.statement_keys.get(told.kid)
    return key is not None and verify(key, told.signature, to_sign(charter.ledger, told.count, told.head))
