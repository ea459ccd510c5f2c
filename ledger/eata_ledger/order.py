"""What a position in the log does before any entry: lanes, incarnations, log time, checkpoints.

Pure, like `apply`: every replica computes the same from the same groups. A void group consumes its position
and nothing else; its proposer sends the same entries again.
"""

from dataclasses import dataclass, replace

from eata_ledger.carnet.dates import MINUTE
from eata_ledger.carnet.vocabulary import Purpose
from eata_ledger.log.genesis import Charter, Genesis
from eata_ledger.log.group import NO_HASH, Group, GroupKind
from eata_ledger.record import HASH, U16, U32, U64, Record, f, nested, table

CHECKPOINT_GROUPS = 64
STALLED = MINUTE
SKIPPED, SHARE = 1_000, 10  # entries that never were: so many, and one in so many of those that were


@dataclass(frozen=True)
class Lane(Record):
    """The last group of a lane."""

    n: int = f(U64)
    hash: bytes = f(HASH)


EMPTY_LANE = Lane(0, NO_HASH)


@dataclass(frozen=True)
class NodeState(Record):
    """What the log tells of a node: `clock` its last reading that it did not doubt (ms UTC), `synced` what it has fsynced.

    `entries` it has brought today that were accepted, `skipped_entries` those that never were; a day is one of log time.
    """

    incarnation: int = f(U64)
    clock: int = f(U64)
    synced: int = f(U64)
    rules: int = f(U32)
    lanes: dict[int, Lane] = f(table(U16, nested(Lane), 1024))
    void_groups: int = f(U64)
    entries: int = f(U64)
    skipped_entries: int = f(U64)


@dataclass(frozen=True)
class LogState(Record):
    """Where a replica stands: `position` and `size` are counts, `log_time` ms UTC."""

    era: int = f(U32)
    position: int = f(U64)
    size: int = f(U64)
    log_time: int = f(U64)
    checkpoint: int = f(U64)
    groups_since: int = f(U32)


def start(genesis: Genesis, era: int) -> tuple[LogState, dict[bytes, NodeState]]:
    """State before position 1 of an era that begins with nothing."""
    return start_over(genesis, genesis.charter, era, 0, genesis.created)


def start_over(
    genesis: Genesis, charter: Charter, era: int, size: int, log_time: int
) -> tuple[LogState, dict[bytes, NodeState]]:
    """State before position 1; position 0 is the era's opening over a tree of `size`, whose last leaf has `log_time`.

    Lanes and incarnations begin anew, and no checkpoint is closed yet: the first group that may closes one.
    """
    return LogState(era, 1, size, log_time, 0, 0), recast(genesis, charter, {}, log_time)


def recast(genesis: Genesis, charter: Charter, nodes: dict[bytes, NodeState], log_time: int) -> dict[bytes, NodeState]:
    """The nodes' states under a new node set: a new key starts afresh, one that is gone is forgotten."""
    fresh = NodeState(0, log_time, 0, genesis.rules, {}, 0, 0, 0)
    return {record.id: nodes.get(record.id, fresh) for record in charter.nodes}


def void_because(genesis: Genesis, state: LogState, node: NodeState | None, group: Group) -> str:
    """Why the group is void, empty if it is not. The signature has been checked for `node` not None."""
    header = group.header
    if node is None:
        return "not signed by a registered node"
    if header.ledger != genesis.ledger or header.era != state.era:
        return "of another log"
    lane = node.lanes.get(header.lane, EMPTY_LANE)
    if header.n != lane.n + 1 or header.previous != lane.hash:
        return "not the lane's next group"
    expected = node.incarnation + (header.kind is GroupKind.OPEN)
    if header.incarnation != expected:
        return f"of incarnation {header.incarnation}, {expected} is expected"
    if header.kind is GroupKind.OPEN and header.frames:
        return "an opening with entries"
    if header.frames and node.skipped_entries > SKIPPED + node.entries // SHARE:
        return "of a node that floods the log with entries that never were"
    return ""


def author(charter: Charter, nodes: dict[bytes, NodeState], group: Group) -> NodeState | None:
    """The state of the node that signed the group, None if none did."""
    record = charter.by_id.get(group.header.node)
    if record is None or not group.genuine(record.key(Purpose.GROUP)):
        return None
    return nodes[record.id]


def after_group(node: NodeState, group: Group, void: bool) -> NodeState:
    """The proposer's state once its group has its position: a void group still occupies its lane."""
    header = group.header
    lane = node.lanes.get(header.lane, EMPTY_LANE)
    lanes = {**node.lanes, header.lane: Lane(header.n, group.hash)} if header.n > lane.n else node.lanes
    if void:
        return replace(node, lanes=lanes, void_groups=node.void_groups + 1)
    clock = node.clock if header.doubted else header.clock
    return replace(
        node, lanes=lanes, incarnation=header.incarnation, clock=clock, synced=header.synced, rules=header.rules
    )


def new_day(nodes: dict[bytes, NodeState]) -> dict[bytes, NodeState]:
    """A day of log time has begun: what was skipped before is forgiven, no verdict is for ever."""
    return {node: replace(known, entries=0, skipped_entries=0) for node, known in nodes.items()}


def log_time(state: LogState, nodes: dict[bytes, NodeState]) -> int:
    """The ⌈n/2⌉-th highest of the n nodes' latest readings; never back.

    While fewer than half are wrong, at least one right clock has read as much, and one has read no more.
    """
    readings = sorted((node.clock for node in nodes.values()), reverse=True)
    return max(state.log_time, readings[(len(readings) - 1) // 2])


def stalled(now: int, group: Group) -> bool:
    """True when log time stands still behind the proposer's own clock."""
    return group.header.clock > now + STALLED


def end_of_group(state: LogState, before: LogState, empty: bool) -> tuple[LogState, bool]:
    """Whether a checkpoint closes here, and the state after: a pure function of the log."""
    grown = state.size > state.checkpoint
    since = state.groups_since + 1 if grown else 0
    new_second = state.log_time // 1000 > before.log_time // 1000
    if grown and (empty or new_second or since >= CHECKPOINT_GROUPS):
        return replace(state, checkpoint=state.size, groups_since=0), True
    return replace(state, groups_since=since), False
