"""What a log amounts to at a position: its running hash, its lanes, and whose groups it takes. Small enough to keep."""

from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.encoding import Malformed, Value, decode_own, encode, sha256
from eata_ledger.log.bodies import RegisterNode, RemoveNode, RotateRoot
from eata_ledger.log.chartering import declares, signed_by_enough
from eata_ledger.log.entry import Header
from eata_ledger.log.genesis import Genesis, NodeRecord
from eata_ledger.log.opening import check_opening
from eata_ledger.wire import ReceivedGroup, group_from_bytes

NO_CHAIN = bytes(32)


@dataclass(frozen=True)
class LaneHead:
    """What stands in a lane; `group` as it was appended."""

    n: int
    group: bytes
    position: int


class Tip:
    """The log up to `head` (-1: empty), moved on by one group at a time."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis, charter = genesis, genesis.charter
        self.head, self.chain = -1, NO_CHAIN
        self.lanes: dict[tuple[bytes, int], LaneHead] = {}
        self.group_keys = {node.id: node.key(Purpose.GROUP) for node in charter.nodes}
        self._roots = {(charter.root_keys, charter.root_threshold)}
        self._newest: dict[str, tuple[int, tuple[NodeRecord, ...]]] = {n.name: (0, (n,)) for n in charter.nodes}
        self._decisions: list[bytes] = []

    def take(self, group: bytes) -> None:
        """One more group. Raises `Malformed`."""
        self.head += 1
        if self.head:
            received = group_from_bytes(group)
            header = received.group.header
            self.lanes[header.node, header.lane] = LaneHead(header.n, group, self.head)
            self._learn(received)
        else:
            check_opening(self._genesis, group)
        self.chain = sha256(self.chain + sha256(group))

    def _learn(self, received: ReceivedGroup) -> None:
        """Whoever any root has named may append; whether the rules took that decision is for the replicas to judge.

        Entries are a node's, which may lie: what only looks like a decision is passed over.
        """
        for entry in received.entries:
            if declares(entry.header):
                try:
                    header = Header.from_bytes(entry.header)
                except Malformed:
                    continue
                self._decided(header, {s.key_id: s.value for s in entry.signatures})

    def _decided(self, header: Header, signatures: dict[bytes, bytes]) -> None:
        """Once, however often it is shown."""
        signed = any(signed_by_enough(keys, least, header, signatures) for keys, least in self._roots)
        if signed and header.ledger == self._genesis.ledger and header.encoded not in self._decisions:
            self._decisions.append(header.encoded)
            self._decide(header)

    def _decide(self, header: Header) -> None:
        body = header.body
        if isinstance(body, RotateRoot):
            self._roots.add((body.keys, body.threshold))
        elif isinstance(body, RegisterNode):
            self.group_keys[body.node.id] = body.node.key(Purpose.GROUP)
            serial, known = self._newest.get(body.node.name, (0, ()))
            if body.serial >= serial:
                self._newest[body.node.name] = (body.serial, (body.node, *(known if body.serial == serial else ())))
        elif isinstance(body, RemoveNode) and body.serial > self._newest.get(body.name, (0, ()))[0]:
            self._newest[body.name] = (body.serial, ())  # until the root names it again

    def may_append(self, node: bytes) -> bool:
        """True for a name's newest key: one that the root has replaced or removed appends nothing any more."""
        return any(record.id == node for record in self.nodes)

    @property
    def nodes(self) -> list[NodeRecord]:
        """The newest record of every name that a root has registered; several where decisions contradict."""
        return [record for _, records in self._newest.values() for record in records]

    # -- kept on disk, so that what lies before it can be forgotten

    def to_bytes(self) -> bytes:
        lanes: list[Value] = [
            [node, lane, at.n, at.group, at.position] for (node, lane), at in sorted(self.lanes.items())
        ]
        return encode([self.head, self.chain, lanes, list(self._decisions)])

    @classmethod
    def from_bytes(cls, genesis: Genesis, data: bytes) -> "Tip":
        """Raises `Malformed`."""
        tip = cls(genesis)
        match decode_own(data):
            case [int(head), bytes(chain), list(lanes), list(decisions)]:
                tip.head, tip.chain = head, chain
            case _:
                raise Malformed("not a log's tip")
        for row in lanes:
            match row:
                case [bytes(node), int(lane), int(n), bytes(group), int(position)]:
                    tip.lanes[node, lane] = LaneHead(n, group, position)
                case _:
                    raise Malformed("not a lane")
        for header in decisions:
            if not isinstance(header, bytes):
                raise Malformed("not a decision")
            tip._decisions.append(header)
            tip._decide(Header.from_bytes(header))
        return tip
