"""The issuer's client, as the gateway uses it: pools, issue, reading its own carnets."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eata_host.files import write_secret
from eata_host.vault import read_locked, write_locked
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.encoding import Malformed, Value, decode, encode, sha256
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.record import CODE, KEY, Record, f
from eata_ledger.seal.stanza import SealingKey
from eata_ledger.state import Carnet, Transaction
from eata_ledger.wire import entry_from_proto, entry_to_proto
from eata_ledger.wording import Audience
from eata_proto.v1 import ledger_pb2, lists_pb2, reading_pb2, reading_pb2_grpc

from eata_clients.authoring import issuing
from eata_clients.authoring.content import Counterfoil, Stamp
from eata_clients.authoring.issuing import Issued, Order
from eata_clients.authoring.registering import Party
from eata_clients.issuer.issued_files import IssuedFiles
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.net.numbers import looked_up
from eata_clients.net.receipts import Committed
from eata_clients.net.streaming import submit_many
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_clients.opened.lists import follow
from eata_clients.opened.parts import Excerpts, Openers, open_counterfoil, open_keys
from eata_clients.trust.authors import Authors
from eata_clients.trust.comparing import Agreed, Comparing
from eata_clients.trust.registry import Registry
from eata_clients.trust.registry_pages import KeptRegistry

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
    """An organisation's keys from its `party.cbor`, unlocked with this machine's passphrase. Raises `Fault`."""
    stored = PartyFile.from_bytes(read_locked(path))
    return Party(stored.code, SigningKey(stored.sign), SealingKey(stored.seal))


def write_party(path: Path, party: Party) -> None:
    write_locked(path, PartyFile(party.code, party.sign.seed, party.seal.seed).to_bytes())


class Issuer:
    """One issuer's keys and its ID pool, kept in a folder."""

    def __init__(self, folder: Path, transport: Transport, party: Party) -> None:
        self._folder, self.transport, self.party = folder, transport, party
        transport.suspicions.folder = folder / "evidence"
        self._registry = KeptRegistry(transport, folder)
        self.files = IssuedFiles(folder)
        self._deriving = asyncio.Semaphore(2)

    async def registry(self) -> Registry:
        """What the nodes have registered, verified; as of a minute ago at most. Raises `EataError`."""
        return await self._registry.get()

    async def issue(self, request_id: str, order: Order) -> tuple[Issued, Committed]:
        """The same request id gives the same carnet, PIN and entry again, also after a crash."""
        issued = self.files.read(request_id, order) or (await self._prepare({request_id: order}))[request_id]
        if isinstance(issued, EataError):
            raise issued
        try:
            done = await submit(self.transport, (await self.registry()).charter, issued.entry)
        except EataError as error:
            raise self._refused(request_id, error) from None
        return self._told(issued), done

    async def issue_many(self, orders: Mapping[str, Order]) -> dict[str, tuple[Issued, Committed] | EataError]:
        """Several by request id over one stream: a refusal of one leaves the others alone."""
        found: dict[str, tuple[Issued, Committed] | EataError] = {}
        issued, new = dict[str, Issued](), dict[str, Order]()
        for name, order in orders.items():
            try:
                kept = self.files.read(name, order)
            except EataError as error:
                found[name] = error
                continue
            if kept is None:
                new[name] = order
            else:
                issued[name] = kept
        try:
            made = await self._prepare(new)
        except EataError as error:  # nothing of these is kept: what was issued before is answered all the same
            made = {name: error for name in new}  # noqa: C420 (wider than its values)
        issued |= {name: one for name, one in made.items() if isinstance(one, Issued)}
        found |= {name: one for name, one in made.items() if isinstance(one, EataError)}
        by_hash = {one.entry.hash: name for name, one in issued.items()}
        entries = [one.entry for one in issued.values()]
        try:
            async for entry, outcome in submit_many(self.transport, (await self.registry()).charter, entries):
                name = by_hash[entry.hash]
                if isinstance(outcome, EataError):
                    found[name] = self._refused(name, outcome)
                else:
                    found[name] = self._told(issued[name]), outcome
        except EataError as error:  # what has no answer yet is sent again with the same request id
            for name in issued:
                found.setdefault(name, error)
        return found

    def _told(self, issued: Issued) -> Issued:
        """With the PIN of today, if it was rotated since."""
        return replace(issued, pin=self.files.pin(issued.carnet_id))

    def _refused(self, request_id: str, error: EataError) -> EataError:
        if error.settled:
            self.files.refused(request_id)
        return error.told_to(Audience.ISSUER)

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

    async def _prepare(self, orders: Mapping[str, Order]) -> dict[str, Issued | EataError]:
        """Issues of new orders, kept on disk."""
        taken = [await self._take_id() for _ in orders]
        made = await asyncio.gather(
            *(self._made(order, *ids) for order, ids in zip(orders.values(), taken, strict=True))
        )
        found = dict(zip(orders, made, strict=True))
        for name, one in found.items():
            if isinstance(one, Issued):
                self.files.keep(name, orders[name], one)
        return found

    async def _made(self, order: Order, carnet_id: int, pool: int) -> Issued | EataError:
        """A PIN's keys take a tenth of a second and 64 MiB."""
        ledger = self.transport.network.ledger

        def make() -> Issued | EataError:
            try:
                made = issuing.issue(ledger, self.party, order, carnet_id, pool, Stamp(now()), os.urandom(16))
                entry_from_proto(entry_to_proto(made.entry))  # as every node will read it
            except Malformed as error:
                return EataError("ORDER_MALFORMED", f"{error}.", "Correct the order.")
            return made

        async with self._deriving:
            return await asyncio.to_thread(make)

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

    async def excerpts(self, reply: reading_pb2.CarnetReply) -> Excerpts:
        """What the reply shows of entries, as this issuer may open them."""
        return Excerpts(reply.entries, self.transport.network.ledger, Authors(await self.registry(), self.party.code))

    @property
    def openers(self) -> Openers:
        """The issuer's own sealing key, which opens what is sealed to it."""
        return {self.party.seal_id: self.party.seal}

    async def validations(self, reply: reading_pb2.CarnetReply) -> dict[int, Counterfoil]:
        """The counterfoils the issuer may open: validations, by ledger index (N-07)."""
        found, excerpts = {}, await self.excerpts(reply)
        carnet_id = Carnet.from_bytes(reply.record).carnet_id
        for row in map(Transaction.from_bytes, reply.rows):
            if row.kind is not Kind.VALIDATION:
                continue
            keys = open_keys(excerpts, row.index, self.openers, carnet_id)
            foil = None if keys is None or keys.leaf is None else open_counterfoil(excerpts, row, keys.leaf, carnet_id)
            if foil is not None:
                found[row.index] = foil
        return found

    async def carnet(self, number: str, as_of: str = "", to_act: bool = False) -> reading_pb2.CarnetReply:
        """The issuer's view of a carnet of its own, and of no other than the one asked for.

        `to_act`: so many nodes must tell it that one is honest. Raises `EataError`.
        """
        told_another: set[str] = set()
        while True:
            carnet_id, node = await looked_up(self.transport, number, told_another)
            agreed = await self._compared(carnet_id, as_of)
            record = Carnet.from_bytes(agreed.reply.record)
            if record.carnet_id == carnet_id and (not node or record.number == number.upper()):
                break
            if not node:
                raise Untrusted("the nodes tell of another carnet than was asked for")
            told_another.add(node)
            self.transport.suspicions.keep(node, f"told of carnet {record.number} when asked for {number}")
        if to_act and not agreed.sure:
            raise EataError(
                "TOO_FEW_NODES", "Too few nodes are there to be sure which carnet this is.",
                "Try again when more of them are.", retryable=True,
            )  # fmt: skip
        return agreed.reply

    async def _compared(self, carnet_id: int, as_of: str) -> Agreed:
        name = "/eata.v1.Issuer/Carnet"

        def ask(cursor: bytes) -> ledger_pb2.SignedRequest:
            query = reading_pb2.CarnetQuery(carnet_id=carnet_id, as_of=as_of, cursor=cursor)
            return self.transport.signed(name, query.SerializeToString(), [self.party.sign])

        return await Comparing(
            self.transport, (await self.registry()).charter, lambda c: reading_pb2_grpc.IssuerStub(c).Carnet, name, ask
        ).agreed()  # fmt: skip
