"""The registry from the nodes: page by page, complete under a head that so many nodes give that one of them is honest."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from eata_host.files import write_secret
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.keys import verify
from eata_ledger.proof.registered import to_sign
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.errors import EataError, Outdated, Unreachable, Untrusted
from eata_clients.net.transport import Transport, newest
from eata_clients.trust.registry import Registry

_FRESH_SECONDS, _HEAD_SECONDS, _PAGE_SECONDS, _PAGES_SECONDS = 60, 2.0, 10.0, 60.0
_ROUNDS, _BESIDE_SECONDS = 3, 3.0
_AWAY = ("UNREACHABLE", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")
FILE = "registry.cbor"  # in a client's folder
Heads = dict[str, ledger_pb2.RegistryHeadReply]  # by node
T = TypeVar("T")


class KeptRegistry:
    """The registry as a client keeps it, in its folder too: what is new is fetched after a minute, or when it may be stale."""

    def __init__(self, transport: Transport, folder: Path | None = None) -> None:
        self._transport, self._folder, self._at = transport, folder, float("-inf")
        self._registry: Registry | None = None
        self._firm: Registry | None = None  # the newest that an honest node has vouched for
        self._fetching = asyncio.Lock()

    async def get(self) -> Registry:
        """As of a minute ago at most. Raises `EataError`."""
        async with self._fetching:
            if time.monotonic() - self._at > _FRESH_SECONDS or self._registry is None:
                self._registry = await self._renewed()
                self._at = time.monotonic()
            return self._registry

    async def _renewed(self) -> Registry:
        if self._firm is None and self._folder is not None:
            self._firm = read(self._folder, self._transport.network.ledger)
        before, found = self._firm, await fetch(self._transport, self._firm)
        if _sure(self._transport, found):
            self._firm = found
            if self._folder is not None and (before is None or (before.head, before.era) != (found.head, found.era)):
                with suppress(OSError):  # who only reads needs no disk
                    keep(self._folder, found)
        return found

    def forget(self) -> None:
        """The next look asks the nodes again."""
        self._at = float("-inf")


async def fetch(transport: Transport, known: Registry | None = None) -> Registry:
    """The registry, verified against the pinned ledger; `known` is what an honest node vouched for before, and stays as it is.

    The longest one that so many nodes vouch for that one of them is honest: never less than `known`, but in a new era. Where too few
    nodes are there for that, `known` as far as one of them goes on from it, or the longest that none of them contradicts:
    `Registry.attested` says how many vouch for it. Raises `EataError`.
    """
    await transport.near()
    liars = transport.network.most_liars
    heads, there = await _heads(transport, partial(_told_enough, liars))
    if not heads:
        raise Unreachable(" (no node tells of the registry)")
    shown = sorted((head.session for head in heads.values()), key=newest, reverse=True)
    transport.carry(_as_far(shown, liars))
    firm = known if known is not None and _sure(transport, known) else None
    times = sorted((head.log_time for head in heads.values()), reverse=True)
    told, settled = _as_far(times, liars), len(times) > 2 * liars
    for least in (liars, 0) if there <= 2 * liars else (liars,):
        for count in sorted({head.count for head in heads.values()}, reverse=True):
            agreed = await _at(transport, heads, count, liars)
            if _voices(agreed) <= least or not _may_follow(firm, count, agreed, liars, least):
                continue
            found = await _taken(transport, firm, count, agreed, afresh=least == liars)
            if found is None:
                continue
            attested, against, era = _attested(transport, found, agreed)
            if attested > least and (least or not against) and _follows(firm, count, era):
                found.attested, found.era = attested, era
                found.told_time(told, settled and attested > liars)
                return found
    if firm is not None:
        firm.told_time(told, sure=False)
        return firm
    raise EataError(
        "REGISTRY_UNSURE", "The nodes tell of different registries.", "Try again in a moment; tell the operators.",
        retryable=True,
    )  # fmt: skip


def _follows(firm: Registry | None, count: int, era: int) -> bool:
    """What an honest node vouched for is never taken back; a new era may know less."""
    return firm is None or count >= firm.count or era > firm.era


def _may_follow(firm: Registry | None, count: int, agreed: Heads, liars: int, least: int) -> bool:
    """Worth fetching: by what its nodes say of their era, and, of one node alone, only what goes on from what is known."""
    if firm is None or least < liars:
        return firm is None or count > firm.count
    eras = sorted((head.session.era for head in agreed.values()), reverse=True)
    return _follows(firm, count, _as_far(eras, liars))


async def _taken(
    transport: Transport, firm: Registry | None, count: int, agreed: Heads, afresh: bool
) -> Registry | None:  # fmt: skip
    """A copy of what is known, brought up to that count; `afresh`: from genesis where it does not lead there."""
    found = await _up_to(transport, firm, count, agreed)
    if found is None and firm is not None and afresh:
        found = await _up_to(transport, None, count, agreed)
    return found


def _sure(transport: Transport, registry: Registry) -> bool:
    """An honest node was among those that vouched for it."""
    return registry.attested > transport.network.most_liars


def _told_enough(liars: int, found: Heads) -> bool:
    """Of as many nodes that an honest majority is among them, so many tell of the longest registry that one is honest."""
    longest = max(head.count for head in found.values())
    return len(found) > 2 * liars and sum(head.count == longest for head in found.values()) > liars


def _most_given(agreed: Heads) -> tuple[bytes, int]:
    """The head that most nodes give, and how many do."""
    told = [head.head for head in agreed.values()]
    most = max(sorted(set(told)), key=told.count, default=b"")
    return most, told.count(most)


def _voices(agreed: Heads) -> int:
    return _most_given(agreed)[1]


def _as_far(told: Sequence[T], liars: int) -> T:
    """Of what nodes tell, the highest first: what an honest one has reached, where so many tell that one is."""
    return told[min(liars, len(told) - 1)]


def keep(folder: Path, registry: Registry) -> None:
    """In a folder of the client's own, as trusted as the keys in it; with a checksum, since disks forget."""
    data = registry.to_bytes()
    write_secret(folder / FILE, data, sha256(data))


def read(folder: Path, ledger: bytes) -> Registry | None:
    """What `keep` wrote; None where there is none of this ledger, or it does not read any more."""
    path = folder / FILE
    data = path.read_bytes() if path.exists() else b""
    if sha256(data[:-32]) != data[-32:]:
        return None
    try:
        found = Registry.from_bytes(data[:-32])
    except Malformed:
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
        ahead = 0
        async for name, told in _told(transport, count, names):
            if isinstance(told, EataError):
                ahead += told.code == "SESSION_AHEAD"
                there |= set() if told.code in _AWAY else {name}
                continue
            found[name] = told
            there.add(name)
            if enough(found):
                return found, len(there)
        if ahead <= transport.network.most_liars:
            break  # else somebody had told this client of more than there is: forgotten by now, asked again
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


async def _at(transport: Transport, heads: Heads, count: int, liars: int) -> Heads:
    """The heads of just so many entries, of those who have as many; no more than so many that one is honest are waited for."""
    further = [name for name, head in heads.items() if head.count > count]
    there = {name: head for name, head in heads.items() if head.count == count}
    if not further or not count or _voices(there) > liars:
        return there

    def enough(found: Heads) -> bool:
        return len(found) == len(further) or _voices(there | found) > liars

    return there | (await _heads(transport, enough, count, further))[0]


async def _up_to(transport: Transport, known: Registry | None, count: int, agreed: Heads) -> Registry | None:
    """From the nearest of those who give the head that most give, if its pages lead there and verify; from the next beside it
    where that takes long."""
    most, _ = _most_given(agreed)
    if known is not None and known.count >= count:
        return known if known.count == count and known.head == most else None
    left = [name for name in transport.nearest if name in agreed and agreed[name].head == most]
    asked: dict[asyncio.Task[Registry], str] = {}
    outdated: Outdated | None = None
    try:
        while left or asked:
            if left:
                node = left.pop(0)
                asked[asyncio.ensure_future(_pages(transport, known, count, most, node))] = node
            done, _ = await asyncio.wait(
                asked, timeout=_BESIDE_SECONDS if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                node, error = asked.pop(task), task.exception()
                if error is None:
                    return task.result()
                if isinstance(error, Untrusted):
                    why = f"handed out a registry that does not verify ({error.message})"
                    transport.suspicions.keep(node, why)
                elif isinstance(error, Outdated):  # it leads to the head that most give
                    outdated = error
                elif not isinstance(error, EataError | TimeoutError):
                    raise error
                transport.demote(node)
    finally:
        for task in asked:
            task.cancel()
    if outdated is not None:
        raise outdated
    return None


async def _pages(transport: Transport, known: Registry | None, count: int, head: bytes, node: str) -> Registry:
    """What one node hands out, judged once it leads to the head. Raises `EataError`, `Untrusted`, `TimeoutError`."""
    registry = None if known is None else known.copy()
    async with asyncio.timeout(_PAGES_SECONDS):
        while registry is None or registry.pending < count:
            registry = await _longer(transport, registry, count, node)
    if registry.pending_head != head:
        raise Untrusted("its pages do not lead to its head")
    registry.settle()
    return registry


async def _longer(transport: Transport, registry: Registry | None, count: int, node: str) -> Registry:
    """By one more page; the page is let go before the next is asked for."""
    at = 0 if registry is None else registry.pending
    request = ledger_pb2.RegistryRequest(from_count=at)
    reply = await transport.at(
        node, lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry, request, _PAGE_SECONDS
    )  # fmt: skip
    found = _begun(reply, transport.network.ledger) if registry is None else registry
    if not reply.entries and found.pending < count:
        raise Untrusted("it ends before its head")
    found.chain(reply.entries[: count - at])
    return found


def _attested(transport: Transport, registry: Registry, agreed: Heads) -> tuple[int, int, int]:
    """How many nodes vouch for this head with their signatures, how many for another (kept as evidence), and the era of an
    honest one among the first."""
    signed = {name: told for name, told in agreed.items() if _signed(registry.charter, told)}
    against = {name: told for name, told in signed.items() if told.head != registry.head}
    eras = sorted((told.session.era for name, told in signed.items() if name not in against), reverse=True)
    if len(eras) > len(against):
        for name, told in against.items():
            told.DiscardUnknownFields()  # a few hundred bytes, whatever it sent
            said = told.SerializeToString()
            transport.suspicions.keep(name, "told of a registry that others contradict", said=said)
    return len(eras), len(against), _as_far(eras, transport.network.most_liars) if eras else 0


def _signed(charter: Charter, told: ledger_pb2.RegistryHeadReply) -> bool:
    key = charter.statement_keys.get(told.kid)
    return key is not None and verify(key, told.signature, to_sign(charter.ledger, told.count, told.head))
