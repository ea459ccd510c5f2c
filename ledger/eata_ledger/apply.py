"""The one function that replicas run: (facts, entry, moment) → what becomes of it. No I/O, no clock."""

from collections.abc import Callable
from dataclasses import dataclass

from eata_ledger.encoding import Value, encode, sha256
from eata_ledger.facts import FactReader, Facts
from eata_ledger.log import bodies, keys
from eata_ledger.log.entry import Entry
from eata_ledger.log.leaf import Leaf
from eata_ledger.outcomes import Outcome, Refused, Skipped
from eata_ledger.rules import authors, rule_of
from eata_ledger.rules.act import Act, Moment
from eata_ledger.rules.budgets import spend
from eata_ledger.rules.registered import register
from eata_ledger.state import Logged, RulesFact, rules_of

Verify = Callable[[bytes, bytes, bytes], bool]


@dataclass(frozen=True)
class Applied:
    """A new leaf: outcome, public facts (CBOR), and the state effects to write with it."""

    outcome: Outcome
    detail: str
    facts: bytes
    leaf: bytes
    state: Facts  # as it is with the effects
    fault: BaseException | None = None

    @property
    def effects(self) -> dict[tuple[int, bytes], bytes]:
        """What was written, by (family, key)."""
        return self.state.written


@dataclass(frozen=True)
class Known:
    """The request id has an outcome already: no new leaf. `reused` if it was for other bytes."""

    logged: Logged
    reused: bool


def known(reader: FactReader, entry: Entry) -> Logged | None:
    """The first outcome of this author and request id."""
    return Facts(reader).get(Logged, entry.header.author, entry.header.request_id)


def apply(reader: FactReader, entry: Entry, moment: Moment, verify: Verify = keys.verify) -> Applied | Known:
    """Judges one entry. Raises `Skipped` for an entry that never was: unknown author or bad signature.

    A known id is answered first. An exception in a rule is the outcome RULE_FAULT; errors of the store
    itself (`OSError`, `MemoryError`) are for the caller to stop on.
    """
    header, facts = entry.header, Facts(reader)
    rules = rules_of(moment.genesis, facts.get(RulesFact, b""))
    if rules < bodies.SINCE.get(header.body.TYPE, 1):
        raise Skipped(Outcome.ENTRY_MALFORMED, "this type opens with later rules")  # as a node without them reads it
    logged = known(reader, entry)
    if logged is not None and logged.entry_hash == entry.hash:
        return Known(logged, reused=False)
    act = Act(facts, entry, moment, verify, rules)
    act.author = authors.resolve(act)
    act.require_signature(act.author)
    if logged is not None:
        return Known(logged, reused=True)
    detail, public, fault = "", None, None
    try:
        if header.ledger != moment.genesis.ledger:
            raise Refused(Outcome.WRONG_LEDGER)
        if moment.log_time > header.not_after:
            raise Refused(Outcome.ENTRY_EXPIRED)
        if act.revoked:
            raise Refused(Outcome.KEY_REVOKED)
        public, outcome = rule_of(header.body)(act, header.body), Outcome.ACCEPTED
        spend(act)
        register(act)
    except Refused as refusal:
        outcome, detail = refusal.outcome, refusal.detail
    except (Skipped, OSError, MemoryError):
        raise
    except Exception as error:
        outcome, fault = Outcome.RULE_FAULT, error
    if outcome is not Outcome.ACCEPTED:
        public = None
        facts.undo()
    facts.put(Logged(moment.index, entry.hash, int(outcome)), header.author, header.request_id)
    return _leaf(entry, moment, rules, outcome, detail, public, facts, fault)


def _leaf(
    entry: Entry,
    moment: Moment,
    rules: int,
    outcome: Outcome,
    detail: str,
    public: Value,
    facts: Facts,
    fault: BaseException | None,
) -> Applied:
    encoded = encode(public)
    leaf = Leaf(
        moment.index, moment.log_time, entry.hash, rules, int(outcome), sha256(encoded),
        facts.effects_hash(),
    )  # fmt: skip
    return Applied(outcome, detail, encoded, leaf.to_bytes(), facts, fault)
