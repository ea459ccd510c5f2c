"""How each era was opened, and who the nodes are: the root's word, judged from genesis down."""

from collections.abc import Iterable

from eata_ledger.encoding import Malformed
from eata_ledger.log.chartering import Reign, follow, in_force
from eata_ledger.log.entry import Header
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.opening import EraOpening
from eata_proto.v1 import ledger_pb2

from eata_node.replica.store import Store


def reigns(store: Store, genesis: Genesis) -> list[Reign]:
    """Node set and root as genesis and each decision of the root left them."""
    found = [Reign(-1, genesis.charter)]
    for index in store.decisions():
        stored = store.entry(index)
        if stored is not None:
            signatures = {signed.key_id: signed.value for signed in stored.signatures}
            found.append(Reign(index, follow(found[-1].charter, Header.from_bytes(stored.header), signatures)))
    return found


def decisions(store: Store) -> list[ledger_pb2.Entry]:
    """Every decision of the root that this replica has applied, for those that have not."""
    found = []
    for index in store.decisions():
        stored = store.entry(index)
        if stored is not None:
            signatures = [ledger_pb2.Signature(key_id=s.key_id, value=s.value) for s in stored.signatures]
            found.append(ledger_pb2.Entry(header=stored.header, signatures=signatures))
    return found


def told_charter(genesis: Genesis, told: Iterable[ledger_pb2.Entry]) -> Charter:
    """The node set after these decisions, as far as the root has signed them one after another."""
    charter = genesis.charter
    for message in told:
        try:
            charter = follow(
                charter, Header.from_bytes(message.header), {s.key_id: s.value for s in message.signatures}
            )
        except Malformed:
            break
    return charter


def genuine(store: Store, genesis: Genesis, told: Iterable[bytes]) -> list[bytes]:
    """The openings among those told that the root of their day has signed."""
    known = reigns(store, genesis)
    return [data for data in told if _good(data, known)]


def _good(data: bytes, known: list[Reign]) -> bool:
    try:
        opening = EraOpening.from_bytes(data)
    except Malformed:
        return False
    return opening.era.ledger == known[0].charter.ledger and opening.authorised(in_force(known, opening.era.size))
