"""The registry from the nodes: page by page, complete under a head that so many nodes give that one of them is honest."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from eata_ledger.encoding import Malformed, sha256
from eata_ledger.proof.genesis import Charter, Genesis
from eata_ledger.proof.keys import verify
from eata_ledger.proof.registered import to_sign
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.errors import EataError, Unreachable, Untrusted
from eata_clients.files import write_secret
from eata_clients.registry import Registry
from eata_clients.transport import Transport, newest

_FRESH_SECONDS, _HEAD_SECONDS, _PAGES_SECONDS = 60, 2.0, 30.0
_ROUNDS = 3
FILE = "registry.cbor"  # in a client's folder
Heads = dict[str, ledger_pb2.RegistryHeadReply]  # by node


class Kept:
    """The registry as a client keeps it, in its folder too: what is new is fetched after a minute, or when it may be stale."""

    def __init__(self, transport: Transport, folder: Path | None = None) -> None:
        self._transport, self._folder, self._at = transport, folder, float("-inf")
        self._registry: Registry | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> Registry:
        """As of a minute ago at most. Raises `EataError`."""
        async with self._fetching:
            if time.monotonic() - self._at > _FRESH_SECONDS or self._registry is None:
                await self._renew()
            assert self._registry is not None, "fetched"
            return self._registry

    async def _renew(self) -> None:
        if self._registry is None and self._folder is not None:
            self._registry = read(self._folder, self._transport.network.ledger)
        before = 0 if self._registry is None else self._registry.count
        self._registry, self._at = await fetch(self._transport, self._registry), time.monotonic()
        if self._folder is not None and self._registry.count != before:
            keep(self._folder, self._registry)

    def forget(self) -> None:
        """The next look asks the nodes again."""
        self._at = float("-inf")


async def fetch(transport: Transport, known: Registry | None = None) -> Registry:
    """The registry, verified against the pinned ledger; `known` is what the client has, and is brought up to date.

    The longest one whose pages verify and that so many nodes vouch for that one is honest. Where fewer nodes are there, the
    longest that none of them contradicts: `Registry.attested` says how many vouch for it. Raises `EataError`.
    """
    await transport.near()
    liars = (len(transport.network.nodes) - 1) // 2
    heads, there = await _heads(transport, 2 * liars + 1)
    if not heads:
        raise Unreachable(" (no node tells of the registry)")
    times = sorted((head.log_time for head in heads.values()), reverse=True)
    shown = sorted((head.session for head in heads.values()), key=newest, reverse=True)
    transport.carry(shown[min(liars, len(shown) - 1)])  # an honest node has been as far
    for count in sorted({head.count for head in heads.values()}, reverse=True):
        agreed = await _at(transport, heads, count)
        registry = await _up_to(transport, known, count, heads, agreed)
        if registry is None and known is not None:  # what this client has may be what only liars said
            registry = await _up_to(transport, None, count, heads, agreed)
        if registry is None:
            continue
        registry.attested, against = _attested(transport, registry, agreed)
        sure = registry.attested > liars
        if sure or (there <= 2 * liars and registry.attested and not against):
            registry.told_time(times[min(liars, len(times) - 1)])
            return registry
        known = None if known is registry else known
    raise EataError(
        "REGISTRY_UNSURE", "The nodes tell of different registries.", "Try again in a moment; tell the operators.",
        retryable=True,
    )  # fmt: skip


def keep(folder: Path, registry: Registry) -> None:
    """In a folder of the client's own, as trusted as the keys in it; with a checksum, since disks forget."""
    data = registry.to_bytes()
    write_secret(folder / FILE, data + sha256(data))


def read(folder: Path, ledger: bytes) -> Registry | None:
    """What `keep` wrote; None where there is none of this ledger, or it does not read any more."""
    path = folder / FILE
    data = path.read_bytes() if path.exists() else b""
    if sha256(data[:-32]) != data[-32:]:
        return None
    try:
        found = Registry.from_bytes(data[:-32])
    except (Malformed, Untrusted):
        return None
    return found if found.genesis.ledger == ledger else None


def _begun(reply: ledger_pb2.RegistryReply, ledger: bytes) -> Registry:
    if sha256(reply.genesis) != ledger:
        raise Untrusted("the genesis is not the pinned one")
    return Registry(Genesis.from_bytes(reply.genesis))


async def _heads(
    transport: Transport, enough: int, count: int = 0, names: Sequence[str] | None = None
) -> tuple[Heads, int]:
    """What the nodes say of the registry, of so many entries or of all, until `enough` have; how many are there at all."""
    found: Heads = {}
    there: set[str] = set()
    for _ in range(_ROUNDS):
        ahead = False
        async for name, told in _told(transport, count, names):
            if isinstance(told, EataError):
                ahead |= told.code == "SESSION_AHEAD"
                there |= set() if told.code in ("UNREACHABLE", "UNAVAILABLE") else {name}
                continue
            found[name] = told
            there.add(name)
            if len(found) >= enough:
                return found, len(there)
        if not ahead:  # somebody had told this client of more than there is: forgotten by now, asked again
            break
    return found, len(there)


async def _told(
    transport: Transport, count: int, names: Sequence[str] | None
) -> AsyncIterator[tuple[str, ledger_pb2.RegistryHeadReply | EataError]]:
    """All at once, as they answer."""

    async def ask(name: str) -> tuple[str, ledger_pb2.RegistryHeadReply | EataError]:
        request = ledger_pb2.RegistryHeadRequest(count=count)
        try:
            return name, await transport.at(
                name, lambda channel: ledger_pb2_grpc.LedgerStub(channel).RegistryHead, request, _HEAD_SECONDS
            )
        except EataError as error:
            return name, error

    asked = [asyncio.ensure_future(ask(name)) for name in (transport.nearest if names is None else names)]
    try:
        for answered in asyncio.as_completed(asked):
            yield await answered
    finally:
        for task in asked:
            task.cancel()


async def _at(transport: Transport, heads: Heads, count: int) -> Heads:
    """The heads of just so many entries, of those who have as many."""
    further = [name for name, head in heads.items() if head.count > count]
    there = {name: head for name, head in heads.items() if head.count == count}
    if not further or not count:
        return there
    return there | (await _heads(transport, len(further), count, further))[0]


async def _up_to(
    transport: Transport, known: Registry | None, count: int, heads: Heads, agreed: Heads
) -> Registry | None:  # fmt: skip
    """From the nearest of those who have as many, if its pages lead to the head that most give and verify."""
    told = [head.head for head in agreed.values()]
    most = max(sorted(set(told)), key=told.count, default=b"")
    if known is not None and known.count >= count:
        return known if known.count == count and known.head == most else None
    for node in [name for name in transport.nearest if name in heads and heads[name].count >= count]:
        if known is not None:
            known.forget_unsettled()
        try:
            async with asyncio.timeout(_PAGES_SECONDS):
                registry = await _pages(transport, known, count, node)
            if registry.pending_head == most:
                registry.settle()  # where it breaks off, what was judged before stands
                return registry
        except Untrusted as error:
            transport.suspicions.keep(node, f"handed out a registry that does not verify ({error.message})")
        except (EataError, TimeoutError):
            pass
        transport.demote(node)
    if known is not None:
        known.forget_unsettled()
    return None


async def _pages(transport: Transport, known: Registry | None, count: int, node: str) -> Registry:
    """What one node hands out, chained and not judged yet. Raises `EataError`, `Untrusted`."""
    registry = known
    while registry is None or registry.pending < count:
        at = 0 if registry is None else registry.pending
        request = ledger_pb2.RegistryRequest(from_count=at)
        reply = await transport.at(node, lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry, request)
        registry = _begun(reply, transport.network.ledger) if registry is None else registry
        if not reply.entries and registry.pending < count:
            raise Untrusted("it ends before its head")
        registry.chain(reply.entries[: count - at])
    return registry


def _attested(transport: Transport, registry: Registry, agreed: Heads) -> tuple[int, int]:
    """How many nodes vouch for this head with their signatures, and how many for another: those are kept as evidence."""
    head = registry.head
    signed = {name: told for name, told in agreed.items() if _signed(registry.charter, told)}
    against = {name: told for name, told in signed.items() if told.head != head}
    good = len(signed) - len(against)
    if good > len(against):
        for name, told in against.items():
            said = told.SerializeToString()
            transport.suspicions.keep(name, "told of a registry that others contradict", said=said)
    return good, len(against)


def _signed(charter: Charter, told: ledger_pb2.RegistryHeadReply) -> bool:
    key = charter.statement_keys.get(told.kid)
    return key is not None and verify(key, told.signature, to_sign(charter.ledger, told.count, told.head))
