"""The issuer's client, as the gateway uses it: pools, issue, reading its own carnets."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from eata_ledger.encoding import Value, decode, encode, sha256
from eata_ledger.proof.entry import Entry
from eata_ledger.proof.keys import SigningKey
from eata_ledger.record import CODE, KEY, Record, f
from eata_ledger.seal.codes import Code, CodeKind
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Carnet
from eata_ledger.wire import entry_from_proto, entry_to_proto
from eata_proto.v1 import ledger_pb2, lists_pb2, reading_pb2, reading_pb2_grpc

from eata_clients.authoring import issuing
from eata_clients.authoring.content import Counterfoil, Stamp
from eata_clients.authoring.issuing import Issued, Order
from eata_clients.authoring.registering import Party
from eata_clients.errors import EataError
from eata_clients.files import write_secret
from eata_clients.lists import follow
from eata_clients.opening import open_counterfoil, open_stanza
from eata_clients.registry import Kept as KeptRegistry
from eata_clients.registry import Registry
from eata_clients.submitting import Committed, carnet_id_of, submit
from eata_clients.transport import Transport, now
from eata_clients.vault import read_locked, write_locked

POOL_SIZE = 50


@dataclass(frozen=True)
class PartyFile(Record):
    """An organisation's own keys on its own disk."""

    code: str = f(CODE)
    sign: bytes = f(KEY)
    seal: bytes = f(KEY)

    def __repr__(self) -> str:
        return f"PartyFile(code={self.code}, …)"


def read_party(path: Path) -> Party:
    stored = PartyFile.from_bytes(read_locked(path))
    return Party(stored.code, SigningKey(stored.sign), SealingKey(stored.seal))


def write_party(path: Path, party: Party) -> None:
    write_locked(path, PartyFile(party.code, party.sign.seed, party.seal.seed).to_bytes())


class IssuerClient:
    """One issuer's keys and its ID pool, kept in a folder."""

    def __init__(self, folder: Path, transport: Transport, party: Party) -> None:
        self._folder, self.transport, self.party = folder, transport, party
        self._registry = KeptRegistry(transport)
        for name in ("issued", "pins", "drafts"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    async def registry(self) -> Registry:
        return await self._registry.get()

    async def issue(self, request_id: str, order: Order) -> tuple[Issued, Committed]:
        """The same request id gives the same carnet, PIN and entry again, also after a crash."""
        path = self._folder / "issued" / f"{sha256(request_id.encode()).hex()}.issue"
        if path.exists():
            issued = self._again(path, request_id, order)
        else:
            issued = await self._prepare(path, request_id, order)
        try:
            done = await submit(self.transport, (await self.registry()).charter, issued.entry)
            return replace(issued, pin=self.pin(issued.carnet_id)), done  # the PIN of today, if it was rotated since
        except EataError as error:
            if error.settled:
                path.rename(path.with_suffix(".refused"))
            raise

    async def change(self, request_id: str, fingerprint: Value, make: Callable[[bytes], Entry]) -> Committed:
        """One act of the issuer on a carnet, idempotent like `issue`: the same request id sends the same bytes."""
        path = self._folder / "changed" / f"{sha256(request_id.encode()).hex()}.change"
        digest = sha256(encode(fingerprint))
        if not path.exists():
            path.parent.mkdir(exist_ok=True, mode=0o700)
            data = entry_to_proto(make(os.urandom(16))).SerializeToString()
            write_locked(path, encode([request_id, digest, data]))
        match decode(read_locked(path)):
            case [str(kept_id), bytes(kept), bytes(data)] if kept_id == request_id and kept == digest:
                entry = entry_from_proto(ledger_pb2.Entry.FromString(data))
            case [str(_), bytes(_), bytes(_)]:
                raise EataError(
                    "REQUEST_ID_REUSED", "This request id was used for another change.", "Make a new request id."
                )
            case _:
                raise EataError("STORE_DAMAGED", "The gateway's own record is damaged.", "Restore it from backup.")
        try:
            return await submit(self.transport, (await self.registry()).charter, entry)
        except EataError as error:
            if error.settled:
                path.rename(path.with_suffix(".refused"))
            raise

    def pin_path(self, carnet_id: int) -> Path:
        """Where the PIN of a carnet is kept."""
        return self._folder / "pins" / str(carnet_id)

    def pin(self, carnet_id: int) -> Code:
        """The PIN this gateway made for a carnet."""
        path = self.pin_path(carnet_id)
        if not path.exists():
            raise EataError("NOT_FOUND", "This gateway did not issue the carnet.", "Amend it where it was issued.")
        return Code.read(CodeKind.PIN, read_locked(path).decode("ascii"))

    async def _prepare(self, path: Path, request_id: str, order: Order) -> Issued:
        ledger = self.transport.network.ledger
        carnet_id, pool = await self._take_id()
        issued = issuing.issue(ledger, self.party, order, carnet_id, pool, Stamp(now()), os.urandom(16))
        kept = encode([
            request_id, _fingerprint(order), carnet_id, issued.pin.text,
            entry_to_proto(issued.entry).SerializeToString(),
        ])  # fmt: skip
        write_locked(self.pin_path(carnet_id), issued.pin.text.encode())
        write_locked(path, kept)
        return issued

    @staticmethod
    def _again(path: Path, request_id: str, order: Order) -> Issued:
        match decode(read_locked(path)):
            case [str(kept_id), bytes(fingerprint), int(carnet_id), str(pin), bytes(data)] if kept_id == request_id:
                if fingerprint != _fingerprint(order):
                    raise EataError(
                        "REQUEST_ID_REUSED", "This request id was used for another carnet.", "Make a new request id."
                    )
                entry: Entry = entry_from_proto(ledger_pb2.Entry.FromString(data))
                return Issued(entry, carnet_id, Code.read(CodeKind.PIN, pin))
        raise EataError("STORE_DAMAGED", "The gateway's own record is damaged.", "Restore it from backup.")

    async def _take_id(self) -> tuple[int, int]:
        """The next ID of the pool on disk; reserves a new pool when it is empty. Unused IDs are void."""
        path = self._folder / "pool.cbor"
        match decode(path.read_bytes()) if path.exists() else None:
            case [int(first), int(next_id), int(last)] if next_id <= last:
                pass
            case _:
                first, last = await self._reserve()
                next_id = first
        write_secret(path, encode([first, next_id + 1, last]))
        return next_id, first

    async def _reserve(self) -> tuple[int, int]:
        entry = issuing.reserve(self.transport.network.ledger, self.party, POOL_SIZE, Stamp(now()))
        done = await submit(self.transport, (await self.registry()).charter, entry)
        match done.facts:
            case [_, int(first), int(last)]:
                return first, last
            case _:
                raise EataError("UNTRUSTED", "The reservation carries no IDs.", "Use another node.")

    def events(self, from_index: int) -> AsyncIterator[lists_pb2.Event]:
        """Everything that happens to this issuer's carnets, from an index on."""
        return follow(self.transport, "Issued", self.party.sign, from_index)

    async def validations(self, reply: reading_pb2.CarnetReply) -> dict[int, Counterfoil]:
        """The counterfoils the issuer may open: validations, by ledger index (N-07)."""
        found = {}
        carnet_id = Carnet.from_bytes(reply.record).carnet_id
        ledger = self.transport.network.ledger
        for row in reply.rows:
            keys = open_stanza(row.parts, self.party.seal, self.party.seal_id, ledger, carnet_id)
            foil = None if keys is None or keys.leaf is None else open_counterfoil(row, keys.leaf, ledger, carnet_id)
            if foil is not None:
                found[row.index] = foil
        return found

    async def carnet(self, number: str, as_of: str = "") -> reading_pb2.CarnetReply:
        """The issuer's view of a carnet of its own."""
        carnet_id = await carnet_id_of(self.transport, number)
        body = reading_pb2.CarnetQuery(carnet_id=carnet_id, as_of=as_of).SerializeToString()
        request = self.transport.signed("/eata.v1.Issuer/Carnet", body, [self.party.sign])
        return await self.transport.call(lambda c: reading_pb2_grpc.IssuerStub(c).Carnet, request)


def _fingerprint(order: Order) -> bytes:
    """The same order has the same fingerprint."""
    return sha256(
        encode([
            order.number, order.home, list(order.box_p), order.valid_until,
            [[int(kind), order.sets[kind]] for kind in sorted(order.sets)], order.content.to_value(), order.test,
            int(order.type), int(order.order), [list(link) for link in order.links],
        ])
    )  # fmt: skip
