"""A territory's key generations: made, shared for recovery, fetched by each member administration, watched over.

Recovery shares are SLIP-39 words. A generation is registered only once its shares have been put together again and
gave its key; there is no escrow.
"""

import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import shamir_mnemonic
from eata_ledger.carnet.dates import DAY
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log.bodies import RegisterTerritoryKey
from eata_ledger.log.entry import Header
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.seal.aead import CannotOpen
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Carnet, Transaction
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.authoring import registering
from eata_clients.authoring.clearing import Desk
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.registering import Party, territory_key_context
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.receipts import Committed
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_clients.opened.lists import follow
from eata_clients.opened.parts import Excerpts, Openers, open_keys
from eata_clients.trust.authors import Authors
from eata_clients.trust.comparing import seen_by_territory
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import KeptRegistry

GENERATION_DAYS = 90


def shares_of(seed: bytes, least: int, count: int) -> list[str]:
    """`count` lines of words, any `least` of which give the seed again: every such choice has been tried."""
    if not 2 <= least <= count <= 16:
        raise Malformed("shares are such as 2 of 3: at least 2, at most 16")
    [lines] = shamir_mnemonic.generate_mnemonics(1, [(least, count)], seed)
    for chosen in itertools.islice(itertools.combinations(lines, least), 64):
        if shamir_mnemonic.combine_mnemonics(chosen) != seed:
            raise EataError(
                "SHARES_WRONG", "The shares do not give the key again.", "Nothing was registered; try again."
            )
    return list(lines)


def seed_of(lines: Iterable[str]) -> bytes:
    """The seed that enough shares give. Raises `Malformed`."""
    try:
        return bytes(shamir_mnemonic.combine_mnemonics([" ".join(line.split()).lower() for line in lines]))
    except shamir_mnemonic.MnemonicError as error:
        raise Malformed(f"these shares do not go together: {error}") from None


def generation_of(registry: Registry, seed: bytes) -> RegisterTerritoryKey:
    """The registered generation that this seed opens. Raises `EataError`."""
    public = SealingKey(seed).public
    found = next((key for key in registry.territory_keys if key.key == public), None)
    if found is None:
        raise EataError("KEY_UNKNOWN", "No registered territory key belongs to this seed.", "Check the shares.")
    return found


async def new_generation(
    transport: Transport, registry: Registry, party: Party, territory: str, key: SealingKey, days: int = GENERATION_DAYS
) -> tuple[RegisterTerritoryKey, Committed]:
    """Registers the next generation, wrapped to every member administration; the one before goes on until its day."""
    found = registry.territories.get(territory)
    if found is None or party.code not in found.administrations:
        raise EataError("ROLE_FORBIDDEN", f"{party.code} has no part of {territory}.", "Name your own territory.")
    known = [key.generation for key in registry.generations(territory)]
    members = [registry.administrations[code] for code in found.administrations]
    recipients = [(key_id(member.seal_key, Algorithm.XWING), member.seal_key) for member in members]
    time = now()
    entry = registering.territory_key(
        registry.genesis.ledger, party, territory, max(known, default=0) + 1, key, recipients,
        (time - 60_000, time + days * DAY), Stamp(time),
    )  # fmt: skip
    body = entry.header.body
    assert isinstance(body, RegisterTerritoryKey), "made so"
    return body, await submit(transport, registry.charter, entry)


async def fetch_seeds(transport: Transport, registry: Registry, party: Party) -> dict[tuple[str, int], bytes]:
    """The seeds that were wrapped to this administration, by territory and generation; checked against their keys."""
    found: dict[tuple[str, int], bytes] = {}
    at = 0
    while at < registry.count:
        request = ledger_pb2.RegistryRequest(session=transport.session, stanzas_for=party.seal_id, from_count=at)
        reply = await transport.call(lambda channel: ledger_pb2_grpc.LedgerStub(channel).Registry, request)
        if not reply.entries:
            break
        at += len(reply.entries)
        for logged in reply.entries:
            header = Header.from_bytes(logged.entry.header)
            if isinstance(header.body, RegisterTerritoryKey):
                seed = _unwrapped(header, logged.stanza, party, registry.genesis.ledger)
                if seed is not None and header.body in registry.generations(header.body.territory):
                    found[header.body.territory, header.body.generation] = seed
    return found


def _unwrapped(header: Header, stanza: bytes, party: Party, ledger: bytes) -> bytes | None:
    body = header.body
    assert isinstance(body, RegisterTerritoryKey), "the caller looked"
    for info in header.parts:
        if info.recipient != party.seal_id or not stanza:
            continue
        if sha256(stanza) != info.digest:
            raise Untrusted("a part is not what was signed")
        try:
            keys = party.seal.open(territory_key_context(ledger, body.generation), party.seal_id, header.author, stanza)
        except CannotOpen as error:
            raise Untrusted(str(error)) from None
        if keys.extra is None or SealingKey(keys.extra).public != body.key:
            raise Untrusted("the seed that was wrapped is not the registered key's")
        return keys.extra
    return None


@dataclass(frozen=True)
class Opened:
    """One commit of the territory as its opener met it; `why` is empty where its own stanza opens."""

    index: int
    carnet_id: int
    why: str


async def watch(transport: Transport, desk: Desk, keys: Openers, from_index: int) -> AsyncIterator[Opened]:
    """Every commit of the territory as it arrives: an opener that cannot open one says so while all still know of it."""
    kept = KeptRegistry(transport)
    async for event in follow(transport, "Territory", desk.key, from_index, certificate=desk.certificate):
        if event.type == "COMMIT":
            yield await _try(transport, await kept.get(), desk, keys, event.index, event.carnet_id)


async def _try(
    transport: Transport, registry: Registry, desk: Desk, keys: Openers, index: int, carnet_id: int
) -> Opened:  # fmt: skip
    try:
        reply = await seen_by_territory(transport, registry.charter, desk, carnet_id)
    except EataError as error:
        if error.code in ("NOT_VISIBLE", "CARNET_ERASED"):  # cancelled or erased since
            return Opened(index, carnet_id, "")
        raise
    row = next((row for row in map(Transaction.from_bytes, reply.rows) if row.index == index), None)
    if row is None:
        return Opened(index, carnet_id, "")
    excerpts = Excerpts(
        reply.entries, transport.network.ledger, Authors(registry, Carnet.from_bytes(reply.record).issuer)
    )
    try:
        opens = open_keys(excerpts, index, keys, carnet_id) is not None
    except Untrusted as error:
        return Opened(index, carnet_id, str(error))
    return Opened(index, carnet_id, "" if opens else f"no stanza for a key held here ({row.territory})")


def words_of(data: bytes) -> str:
    """A share's words. Raises `Malformed` for anything else."""
    try:
        text = data.decode("ascii")
        shamir_mnemonic.share.Share.from_mnemonic(text)
    except (ValueError, shamir_mnemonic.MnemonicError):
        raise Malformed("this file is no recovery share") from None
    return text
