"""The registry as this node hands it out: page by page, under a head that it signs."""

import asyncio
from dataclasses import replace
from itertools import islice

from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.registered import NONE, next_head, to_sign
from eata_ledger.wire import entry_to_proto
from eata_proto.v1 import ledger_pb2

from eata_node.replica.store import Store
from eata_node.rpc.errors import Trouble, trouble
from eata_node.services.excerpts import PAGE

_AT_ONCE = 256


class Registered:
    """Every registration as it was signed; read from disk once, then only what is new."""

    def __init__(self, ledger: bytes, store: Store, key: SigningKey) -> None:
        self._ledger, self._store, self._key = ledger, store, key
        self._known: list[ledger_pb2.RegistryEntry] = []
        self._heads = [NONE]  # by count

    def page(self, start: int, stanzas_for: bytes) -> list[ledger_pb2.RegistryEntry]:
        """What follows the first `start`, about 1 MiB of it; with the stanzas for a key where that is asked for."""
        self._read()
        found, size = list[ledger_pb2.RegistryEntry](), 0
        for one in self._known[start:]:
            found.append(self._with_stanza(one, stanzas_for) if stanzas_for else one)
            size += one.ByteSize()
            if size > PAGE:
                break
        return found

    def head(self, count: int) -> ledger_pb2.RegistryHeadReply:
        """Signed; of so many entries, or of all. Raises `ApiError` for more than there are."""
        self._read()
        if count >= len(self._heads):
            raise trouble(Trouble.OUT_OF_RANGE)
        count = count or len(self._known)
        head = self._heads[count]
        signature = self._key.sign(to_sign(self._ledger, count, head))
        return ledger_pb2.RegistryHeadReply(count=count, head=head, kid=self._key.id[:8], signature=signature)

    async def caught_up(self) -> None:
        """Reads what is new; where that is much, a little at a time, so that nobody else waits for it."""
        while True:
            if self._some(_AT_ONCE) < _AT_ONCE:
                return
            await asyncio.sleep(0)

    def _read(self) -> None:
        self._some()

    def _some(self, most: int | None = None) -> int:
        """How many it has read."""
        known = self._known
        before = len(known)
        for index in islice(self._store.registrations(known[-1].index + 1 if known else 0), most):
            _, entry = self._store.whole_entry(index)
            known.append(ledger_pb2.RegistryEntry(index=index, entry=entry_to_proto(replace(entry, parts=()))))
            self._heads.append(next_head(self._heads[-1], index, entry.hash))
        return len(known) - before

    def _with_stanza(self, one: ledger_pb2.RegistryEntry, recipient: bytes) -> ledger_pb2.RegistryEntry:
        _, entry = self._store.whole_entry(one.index)
        sealed = zip(entry.header.parts, entry.parts, strict=True)
        stanza = next((part for info, part in sealed if info.recipient == recipient), b"")
        return ledger_pb2.RegistryEntry(index=one.index, entry=one.entry, stanza=stanza)
