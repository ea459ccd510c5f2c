"""From reservation to issue: IDs, numbers, validity, sets (domain §2.1)."""

from dataclasses import replace

from eata_ledger.carnet.dates import DAY, last_valid_day, local_day
from eata_ledger.carnet.goods.balances import NOTHING
from eata_ledger.carnet.goods.sets import opening
from eata_ledger.carnet.vocabulary import CarnetType, Label, OrganisationKind, Purpose, SetKind, Status, Validated
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.keys import acceptable
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.links import link
from eata_ledger.rules.reference import sets_code
from eata_ledger.state import (
    Carnet,
    CarnetState,
    KeyFact,
    Number,
    Organisation,
    Pool,
    SetsOfType,
    Territory,
)


def issuer_of(act: Act) -> Organisation:
    fact = act.facts.get(KeyFact, act.entry.header.author)
    assert fact is not None, "the author has been resolved"
    found = act.facts.get(Organisation, fact.owner) if fact.purpose is Purpose.SIGN else None
    if found is None or found.kind is not OrganisationKind.ISSUER or found.sign_key != act.author:
        raise Refused(Outcome.ROLE_FORBIDDEN, "only a registered issuer may do this")
    return found


def reserve_ids(act: Act, body: bodies.ReserveIds) -> Value:
    """The outcome carries [first, last]; unused IDs are void."""
    act.require_parts()
    issuer, chain = issuer_of(act), act.chain()
    first, last = chain.next_id, chain.next_id + body.count - 1
    act.facts.put(replace(chain, next_id=last + 1), b"")
    act.facts.put(Pool(issuer.code, first, last), first)
    return [int(body.TYPE), first, last]


def issue(act: Act, body: bodies.Issue) -> Value:
    """DRAFT → ISSUED. Reader rules (totals, one currency) are the gateway's, who can read."""
    issuer = issuer_of(act)
    pool = act.facts.get(Pool, body.pool)
    if pool is None or pool.issuer != issuer.code or not pool.first <= body.carnet_id <= pool.last:
        raise Refused(Outcome.ID_NOT_RESERVED)
    if act.facts.get(Carnet, body.carnet_id) is not None:
        raise Refused(Outcome.ID_NOT_RESERVED, "this ID has a carnet")
    if body.home not in issuer.homes:
        raise Refused(Outcome.ISSUER_NOT_OF_HOME)
    if not body.number.startswith(issuer.prefixes):
        raise Refused(Outcome.NUMBER_NOT_OF_ISSUER)
    if act.facts.get(Number, body.number) is not None:
        raise Refused(Outcome.NUMBER_TAKEN)
    require_territories(act, (body.home, *body.box_p))
    today = _issue_day(act)
    link(act, body, issuer.code, today)
    require_sets(act, body.type, body.home, body.sets, today)
    if not today <= body.valid_until <= last_valid_day(today):
        raise Refused(Outcome.VALIDITY_WRONG)
    if not acceptable(body.pin_key):
        raise Refused(Outcome.KEY_WEAK)
    act.require_parts(
        (Label.CARNET, body.content, None), (Label.STANZA, body.content, issuer.seal_id),
        (Label.PIN_STANZA, body.content, None),
    )  # fmt: skip
    act.facts.put(
        Carnet(
            body.carnet_id, body.number, body.type, body.order, issuer.code, body.home, body.box_p,
            body.valid_until, body.items, body.test, body.pin_key, body.content, today, act.moment.index,
        ),
        body.carnet_id,
    )  # fmt: skip
    act.facts.put(
        CarnetState(
            Status.ISSUED, None, Validated.NO, 1, 0, opening(body.sets), NOTHING, NOTHING, NOTHING, None, False
        ),
        body.carnet_id,
    )  # fmt: skip
    act.facts.put(Number(body.carnet_id), body.number)
    return [int(body.TYPE), body.number, body.carnet_id, body.home, body.valid_until, body.items, body.test]


def require_territories(act: Act, codes: tuple[str, ...]) -> None:
    for code in codes:
        if act.facts.get(Territory, code) is None:
            raise Refused(Outcome.TERRITORY_UNKNOWN, f"territory {code} is not registered")


def require_sets(act: Act, kind: CarnetType, home: str, wanted: dict[SetKind, int], today: int | None = None) -> None:
    """Only voucher sets that the reference data gives this type in this home (domain §3.1); all where it is silent."""
    day = act.moment.log_time // DAY if today is None else today
    for code in (sets_code(kind, home), sets_code(kind, None)):
        found = act.facts.at(SetsOfType, code, day)
        if found is not None and found.body.effective <= day:
            if any(n and name not in found.body.colours for name, n in wanted.items()):
                raise Refused(Outcome.SETS_NOT_OF_TYPE)
            return


def _issue_day(act: Act) -> int:
    """The issuer's local day, from a clock that agrees with log time, as far as that runs."""
    act.require_not_ahead()
    header = act.entry.header
    if header.event_time < act.moment.log_time - DAY:
        raise Refused(Outcome.EVENT_TIME_WRONG)
    return local_day(header.event_time, header.offset)
