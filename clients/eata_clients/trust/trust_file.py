"""The trust file a client keeps: fetched from all nodes, never older than the last, its age always known (trust §5)."""

import asyncio
import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import grpc.aio
from eata_host.files import write_secret
from eata_ledger.carnet.dates import DAY
from eata_ledger.encoding import Malformed, sha256
from eata_ledger.log import merkle
from eata_ledger.log.chartering import CharterEntry
from eata_ledger.proof.checkpoint import signature_lines
from eata_ledger.proof.trust import Trust
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.receipts import check_statement, receipt
from eata_clients.net.transport import Transport
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import fetch

log = logging.getLogger(__name__)

OLD_DAYS, STALE_DAYS = 7, 30
_ASK_SECONDS, _TRIES, _PAUSE_SECONDS = 3.0, 30, 0.2


class Freshness(StrEnum):
    """How far a trust file may still be relied on."""

    FRESH = "FRESH"
    OLD = "OLD"
    STALE = "STALE"


@dataclass(frozen=True)
class Age:
    """Days since enough nodes vouched for the trust file, and what that means."""

    days: int

    @property
    def freshness(self) -> Freshness:
        if self.days >= STALE_DAYS:
            return Freshness.STALE
        return Freshness.OLD if self.days >= OLD_DAYS else Freshness.FRESH

    def __str__(self) -> str:
        word = "today" if self.days == 0 else f"{self.days} day{'s' if self.days > 1 else ''} old"
        return f"{self.freshness}: trust data of {word}" if self.days == 0 else f"{self.freshness}: trust data {word}"


def age(trust: Trust, now: int, seen: int = 0) -> Age:
    """`now` is the clock, `seen` the highest log time met (ms UTC): a clock set back makes nothing fresher."""
    return Age(max(max(now, seen) - trust.vouched_at, 0) // DAY)


class TrustKeeper:
    """One folder's trust file."""

    def __init__(self, folder: Path, ledger: bytes) -> None:
        self._path, self._seen_path, self._ledger = folder / "trust.cbor", folder / "log-time", ledger

    def read(self) -> Trust:
        """Raises `EataError` where there is none, or it does not read, or it is not of this ledger."""
        if not self._path.exists():
            raise EataError("TRUST_MISSING", "There is no trust file here.", "Go on line once, or import one.")
        try:
            trust = Trust.from_bytes(self._path.read_bytes())
            trust.check(self._ledger)
        except Malformed as error:
            said = f"The trust file {self._path.name} is not good: {error}."
            raise EataError(
                "TRUST_MISSING", said, "`eata customs prepare` or any look on line fetches another."
            ) from None
        return trust

    def _kept(self) -> Trust | None:
        """One that does not read any more is as good as none: a new one takes its place."""
        try:
            return self.read()
        except EataError:
            return None

    @property
    def seen(self) -> int:
        """The highest log time this client has met, ms UTC."""
        try:
            return int(self._seen_path.read_bytes()) if self._seen_path.exists() else 0
        except ValueError:  # the next receipt or node tells it anew
            log.warning("%s does not read: it is begun anew", self._seen_path)
            self._seen_path.unlink(missing_ok=True)
            return 0

    def see(self, log_time: int) -> None:
        """Remembers a log time that a receipt or a node has shown."""
        if log_time > self.seen:
            write_secret(self._seen_path, str(log_time).encode())

    def age(self, now: int) -> Age:
        """Of the file that is kept."""
        return age(self.read(), now, self.seen)

    def keep(self, new: Trust) -> None:
        """Raises `Untrusted` for one that is older, or contradicts the one kept."""
        try:
            Trust.from_bytes(new.to_bytes()).check(self._ledger)
        except Malformed as error:
            raise Untrusted(f"the trust file is not good: {error}") from None
        old = self._kept()
        if old is not None:
            older, newer = (signature_lines(t.checkpoint)[0] for t in (old, new))
            if (new.era, newer.size) < (old.era, older.size):
                raise Untrusted(f"the trust file is of size {newer.size}, this client has seen {older.size}")
            if older.origin == newer.origin and older.size == newer.size and older.root != newer.root:
                raise Untrusted(f"two trees of size {older.size}: keep both files and run `eata prove fork`")
            if new.vouched_at < old.vouched_at:
                raise Untrusted("the trust file is older than the one kept")
            known, told = ([entry.header for entry in t.charter_entries] for t in (old, new))
            if told[: len(known)] != known:
                raise Untrusted("the trust file does not know the newest node set")
        write_secret(self._path, new.to_bytes())

    async def refresh(self, transport: Transport, registry: Registry | None = None) -> Trust:
        """The newest from the nodes, consistent with the one kept."""
        registry = registry or await fetch(transport)
        new = await fetch_trust(transport, registry)
        old = self._kept()
        if old is not None:
            await _require_consistent(transport, old, new)
        self.keep(new)
        self.see(new.vouched_at)
        return new


async def fetch_trust(transport: Transport, registry: Registry) -> Trust:
    """A trust file with every node's signatures and timestamped cosignatures of one tree. Raises `EataError`."""
    asked = [node.name for node in transport.network.nodes]
    openings = await _openings(transport)
    for _ in range(_TRIES):
        notes = [note for note in await asyncio.gather(*(_note(transport, name) for name in asked)) if note]
        for size in sorted({signature_lines(note)[0].size for note in notes}, reverse=True):
            same = [note for note in notes if signature_lines(note)[0].size == size]
            try:
                decisions = await _decisions(transport, registry, size)
                trust = Trust(
                    1, registry.genesis.to_bytes(), transport.session.era, _merged(same), registry.log_time, decisions,
                    openings,
                )  # fmt: skip
                trust.check(transport.network.ledger)
            except (Malformed, EataError):
                continue
            if trust.vouched_at:  # enough nodes have said when
                return trust
        await asyncio.sleep(_PAUSE_SECONDS)  # a young log: signatures come with the next groups
    raise EataError(
        "TRUST_MISSING",
        "Too few nodes answered to vouch for a trust file.",
        "What you have stays good for its age; try again.",
    )


async def _openings(transport: Transport) -> tuple[bytes, ...]:
    """How the eras after the first were opened."""
    reply = await transport.call(lambda c: ledger_pb2_grpc.LedgerStub(c).Eras, ledger_pb2.ErasRequest())
    return tuple(reply.openings)[1:]


async def _decisions(transport: Transport, registry: Registry, size: int) -> tuple[CharterEntry, ...]:
    """The root's decisions below `size`, each with its leaf and the leaf's way to the root. Raises `EataError`."""
    found = []
    for decided in registry.decisions:
        if decided.index < size:
            done = await receipt(transport, registry.charter, decided.index, sha256(decided.header.signed), signers=1)
            leaf = check_statement(done.statement, registry.charter)[0].leaf.to_bytes()
            request = ledger_pb2.InclusionRequest(index=decided.index, size=size)
            proof = await transport.call(lambda c: ledger_pb2_grpc.LedgerStub(c).Inclusion, request)
            found.append(CharterEntry(decided.header.encoded, decided.signatures, leaf, tuple(proof.hashes)))
    return tuple(found)


async def _note(transport: Transport, name: str) -> str:
    stub = ledger_pb2_grpc.LedgerStub(transport.channel(name))
    try:
        return str((await stub.Checkpoint(ledger_pb2.CheckpointRequest(), timeout=_ASK_SECONDS)).note)
    except grpc.aio.AioRpcError:
        return ""


def _merged(notes: list[str]) -> str:
    """One note with every signature line of notes over the same text."""
    text = notes[0].partition("\n\n")[0]
    lines = {
        line for note in notes if note.partition("\n\n")[0] == text for line in note.partition("\n\n")[2].split("\n")
    }
    return f"{text}\n\n" + "".join(f"{line}\n" for line in sorted(lines) if line)


async def _require_consistent(transport: Transport, old: Trust, new: Trust) -> None:
    """The new tree extends the old one, as a proof from any node shows."""
    older, newer = (signature_lines(t.checkpoint)[0] for t in (old, new))
    if old.era != new.era or newer.size <= older.size:
        return
    request = ledger_pb2.ConsistencyRequest(old_size=older.size, new_size=newer.size)
    proof = await transport.call(lambda channel: ledger_pb2_grpc.LedgerStub(channel).Consistency, request)
    if not merkle.consistent(older.size, older.root, newer.size, newer.root, list(proof.hashes)):
        raise Untrusted(f"the tree of size {newer.size} does not extend the one of size {older.size} seen before")
