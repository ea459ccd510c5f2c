"""The registry from the nodes: page by page, complete under a head that so many nodes give that one of them is honest."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
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

_FRESH_SECONDS, _HEAD_SECONDS, _PAGE_SECONDS, _PAGES_SECONDS = 60, 2.0, 10.0, 60.0
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
        before = b"" if self._registry is None else self._registry.head
        self._registry, self._at = await fetch(self._transport, self._registry), time.monotonic()
        if self._folder is not None and self._registry.head != before and _sure(self._transport, self._registry):
            with suppress(OSError):  # who only reads needs no disk
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
    liars = _liars(transport)
    heads, there = await _heads(transport, partial(_told_enough, liars))
    if not heads:
        raise Unreachable(" (no node tells of the registry)")
    shown = sorted((head.session for head in heads.values()), key=newest, reverse=True)
    transport.carry(shown[min(liars, len(shown) - 1)])  # an honest node has been as far
    known = _still_so(transport, known, shown)
    firm = known is not None and _sure(transport, known)
    for count in sorted({head.count for head in heads.values()}, reverse=True):
        if firm and known is not None and count < known.count:
            break  # what an honest node vouched for is never taken back
        agreed = await _at(transport, heads, count)
        if there > 2 * liars and _voices(agreed) <= liars:
            continue  # as many may lie
        registry = await _up_to(transport, known, count, agreed)
        if registry is None and known is not None and not firm:  # what this client has may be what only liars said
            registry = await _up_to(transport, None, count, agreed)
        if registry is None:
            continue
        attested, against = _attested(transport, registry, agreed)
        if attested > liars or (there <= 2 * liars and attested and not against):
            return _told_by(registry, attested, shown, heads, liars)
        known = None if known is registry else known
    if firm and known is not None:
        return known
    raise EataError(
        "REGISTRY_UNSURE", "The nodes tell of different registries.", "Try again in a moment; tell the operators.",
        retryable=True,
    )  # fmt: skip


def _liars(transport: Transport) -> int:
    """So many nodes may lie: fewer than half."""
    return (len(transport.network.nodes) - 1) // 2


def _sure(transport: Transport, registry: Registry) -> bool:
    """An honest node was among those that vouched for it."""
    return registry.attested > _liars(transport)


def _told_enough(liars: int, found: Heads) -> bool:
    """Of as many nodes that an honest majority is among them, so many tell of the longest registry that one is honest."""
    longest = max(head.count for head in found.values())
    return len(found) > 2 * liars and sum(head.count == longest for head in found.values()) > liars


def _voices(agreed: Heads) -> int:
    """How many nodes give the head that most give."""
    told = [head.head for head in agreed.values()]
    return max(map(told.count, told), default=0)


def _still_so(
    transport: Transport, known: Registry | None, shown: Sequence[ledger_pb2.Session]
) -> Registry | None:  # fmt: skip
    """What this client has, unless an honest node has entered another era since: that one may know less."""
    liars = _liars(transport)
    moved = known is not None and len(shown) > liars and shown[liars].era > known.era
    return None if moved else known


def _told_by(
    registry: Registry, attested: int, shown: Sequence[ledger_pb2.Session], heads: Heads, liars: int
) -> Registry:  # fmt: skip
    times = sorted((head.log_time for head in heads.values()), reverse=True)
    registry.attested, registry.era = attested, shown[min(liars, len(shown) - 1)].era
    registry.told_time(times[min(liars, len(times) - 1)], attested > liars)
    return registry


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
    transport: Transport, enough: Callable[[Heads], bool], count: int = 0, names: Sequence[str] | None = None
) -> tuple[Heads, int]:
    """What the nodes say of the registry, of so many entries or of all, until that is `enough`; how many are there at all."""
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
            if enough(found):
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
    return there | (await _heads(transport, lambda found: len(found) == len(further), count, further))[0]


async def _up_to(
    transport: Transport, known: Registry | None, count: int, agreed: Heads
) -> Registry | None:  # fmt: skip
    """From the nearest of those who give the head that most give, if its pages lead there and verify."""
    told = [head.head for head in agreed.values()]
    most = max(sorted(set(told)), key=told.count, default=b"")
    if known is not None and known.count >= count:
        return known if known.count == count and known.head == most else None
    for node in [name for name in transport.nearest if name in agreed and agreed[name].head == most]:
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
        reply = await transport.at(
            node, lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry, request, _PAGE_SECONDS
        )
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
            told.DiscardUnknownFields()  # a few hundred bytes, whatever it sent
            said = told.SerializeToString()
            transport.suspicions.keep(name, "told of a registry that others contradict", said=said)
    return good, len(against)


def _signed(charter: Charter, told: ledger_pb2.RegistryHeadReply) -> bool:
    key = charter.statement_keys.get(told.kid)
    return key is not None and verify(key, told.signature, to_sign(charter.ledger, told.count, told.head))
