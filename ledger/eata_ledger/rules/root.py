"""What the ICC root decides, by threshold: its own keys, who the nodes are, and the rules in force."""

from collections.abc import Iterable
from dataclasses import replace

from eata_ledger.encoding import Malformed, Value
from eata_ledger.outcomes import Outcome, Refused, Skipped
from eata_ledger.proof import bodies
from eata_ledger.proof.genesis import Charter
from eata_ledger.proof.keys import acceptable, key_id
from eata_ledger.rules.act import Act
from eata_ledger.state import CharterFact, RulesFact

MOST_NODES, MOST_ROOTS, MOST_SIGN = 64, 8, 4


def rotate_root(act: Act, body: bodies.RotateRoot) -> Value:
    """Enough of the old keys say so, and enough of the new ones show that they are there."""
    act.require_parts()
    charter = act.charter
    if not 1 <= body.threshold <= len(set(body.keys)) == len(body.keys) <= MOST_ROOTS or body.threshold > MOST_SIGN:
        raise Refused(Outcome.THRESHOLD_MISSED, "at most 4 of at most 8 keys, each once: old and new sign one entry")
    if not all(acceptable(key) for key in body.keys):
        raise Refused(Outcome.KEY_WEAK)
    _require_next(charter, body.serial)
    require_threshold(act, charter.root_keys, charter.root_threshold)
    require_threshold(act, body.keys, body.threshold)
    _put(act, replace(charter, root_keys=body.keys, root_threshold=body.threshold, serial=body.serial))
    return [int(body.TYPE), [key_id(key) for key in body.keys], body.threshold]


def register_node(act: Act, body: bodies.RegisterNode) -> Value:
    """New keys for a name, or a new name; what the old keys sign from here on counts nowhere."""
    act.require_parts()
    charter = act.charter
    _require_next(charter, body.serial)
    require_threshold(act, charter.root_keys, charter.root_threshold)
    try:
        changed = charter.with_node(body.node)
    except Malformed as error:
        raise Refused(Outcome.KEY_WEAK, str(error)) from None
    if body.node.id in charter.by_id or len(changed.nodes) > MOST_NODES:
        raise Refused(Outcome.ALREADY_REGISTERED, "a node's group key is new, and there are at most 64 nodes")
    _put(act, changed)
    return [int(body.TYPE), body.node.name, body.node.id]


def activate_rules(act: Act, body: bodies.ActivateRules) -> Value:
    """Later rules than those in force, once every registered node has announced them: none is left behind."""
    act.require_parts()
    charter = act.charter
    require_threshold(act, charter.root_keys, charter.root_threshold)
    if body.rules <= act.rules:
        raise Refused(Outcome.VERSION_WRONG, f"rules {act.rules} are in force")
    if body.rules > act.moment.announced:
        raise Refused(Outcome.RULES_NOT_ANNOUNCED)
    act.facts.put(RulesFact(body.rules), b"")
    return [int(body.TYPE), body.rules]


def _require_next(charter: Charter, serial: int) -> None:
    """Decisions of the root come one after another: what keepers signed long ago is not played later."""
    if serial != charter.serial + 1:
        raise Refused(Outcome.VERSION_WRONG, f"the root's next decision is {charter.serial + 1}")


def require_threshold(act: Act, keys: Iterable[bytes], threshold: int) -> None:
    """At least `threshold` of these keys signed the entry."""
    signed = 0
    for key in set(keys):
        try:
            act.require_signature(key)
        except Skipped:
            continue
        signed += 1
    if signed < threshold:
        raise Refused(Outcome.THRESHOLD_MISSED, f"{signed} signed, {threshold} are needed")


def _put(act: Act, charter: Charter) -> None:
    act.facts.put(CharterFact(charter.nodes, charter.root_keys, charter.root_threshold, charter.serial), b"")
