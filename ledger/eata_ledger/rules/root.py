"""What the ICC root decides, by threshold: its own keys, those of operations, who the nodes are, the rules in force.

A decision that too few have signed never was one: with signatures taken off it leaves no trace that would stand in the
way of the whole one.
"""

from collections.abc import Iterable

from eata_ledger.encoding import Malformed, Value
from eata_ledger.log import bodies
from eata_ledger.log.chartering import Decision, decided
from eata_ledger.log.genesis import Charter
from eata_ledger.log.keys import key_id
from eata_ledger.outcomes import Outcome, Refused, Skipped
from eata_ledger.rules.act import Act
from eata_ledger.state import CharterFact, RulesFact

MOST_SIGN = 4  # of old and of new root keys: both sign one entry


def rotate_root(act: Act, body: bodies.RotateRoot) -> Value:
    """Enough of the old keys say so, and enough of the new ones show that they are there."""
    _require_root(act)
    if body.threshold > MOST_SIGN:
        raise Refused(Outcome.THRESHOLD_MISSED, f"at most {MOST_SIGN} keepers sign: old and new sign one entry")
    require_threshold(act, body.keys, body.threshold)
    _decide(act, body)
    return [int(body.TYPE), [key_id(key) for key in body.keys], body.threshold]


def register_node(act: Act, body: bodies.RegisterNode) -> Value:
    """New keys for a name, or a new name; what the old keys sign from here on counts nowhere."""
    _require_root(act)
    _decide(act, body)
    return [int(body.TYPE), body.node.name, body.node.id]


def remove_node(act: Act, body: bodies.RemoveNode) -> Value:
    """One node fewer: more than half is counted among those that stay."""
    _require_root(act)
    _decide(act, body)
    return [int(body.TYPE), body.name]


def rotate_operations(act: Act, body: bodies.RotateOperations) -> Value:
    """What the old key signed before stays; from here on it signs nothing."""
    _require_root(act)
    _decide(act, body)
    return [int(body.TYPE), key_id(body.key)]


def activate_rules(act: Act, body: bodies.ActivateRules) -> Value:
    """Later rules than those in force, once every registered node has announced them: none is left behind."""
    _require_root(act)
    if body.rules <= act.rules:
        raise Refused(Outcome.VERSION_WRONG, f"rules {act.rules} are in force")
    if body.rules > act.moment.announced:
        raise Refused(Outcome.RULES_NOT_ANNOUNCED)
    act.facts.put(RulesFact(body.rules), b"")
    return [int(body.TYPE), body.rules]


def _require_root(act: Act) -> None:
    act.require_parts()
    require_threshold(act, act.charter.root_keys, act.charter.root_threshold)


def _decide(act: Act, body: Decision) -> None:
    """Decisions come one after another: what keepers signed long ago is not played later."""
    charter = act.charter
    if body.serial != charter.serial + 1:
        raise Refused(Outcome.VERSION_WRONG, f"the root's next decision is {charter.serial + 1}")
    try:
        _put(act, decided(charter, body))
    except Malformed as error:
        raise Refused(Outcome.DECISION_WRONG, str(error)) from None


def require_threshold(act: Act, keys: Iterable[bytes], threshold: int) -> None:
    """At least `threshold` of these keys signed the entry. Raises `Skipped`."""
    signed = 0
    for key in set(keys):
        try:
            act.require_signature(key)
        except Skipped:
            continue
        signed += 1
    if signed < threshold:
        raise Skipped(Outcome.THRESHOLD_MISSED, f"{signed} signed, {threshold} are needed")


def _put(act: Act, charter: Charter) -> None:
    act.facts.put(
        CharterFact(charter.nodes, charter.root_keys, charter.root_threshold, charter.operations, charter.serial), b""
    )
