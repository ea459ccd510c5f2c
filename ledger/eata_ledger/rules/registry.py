"""Reference data as entries: organisations, administrations, territories, offices, keys; and the tick."""

from dataclasses import replace

from eata_ledger.carnet.dates import DAY, HOUR
from eata_ledger.carnet.vocabulary import Label, OrganisationKind, Purpose
from eata_ledger.encoding import Value
from eata_ledger.log import bodies
from eata_ledger.log.keys import Algorithm, acceptable, key_id
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.versions import put_version
from eata_ledger.seal.stanza import acceptable as sealable
from eata_ledger.state import (
    MOST_KEYS,
    Administration,
    Fact,
    Family,
    KeyFact,
    LiveKey,
    NumberPrefix,
    Office,
    Organisation,
    Territory,
    TerritoryKey,
)

TICK_HOUR = 5 * HOUR
KEY_LIFE, KEY_AHEAD = 120 * DAY, 30 * DAY
KEY_KEPT = 90 * DAY  # after its end: what waited in an outage was sealed to it
MOST_TERRITORY_KEYS, LEAST_KEYS = 64, 6  # that live, shared alike: no member pushes out, or keeps out, another's


def _new(act: Act, fact: Fact, code: str) -> None:
    if act.facts.get(type(fact), code) is not None:
        raise Refused(Outcome.ALREADY_REGISTERED, f"{code} exists")
    act.facts.put(fact, code)


def _key(act: Act, raw: bytes, purpose: Purpose, family: Family, owner: str) -> None:
    if not acceptable(raw):
        raise Refused(Outcome.KEY_WEAK)
    if act.facts.get(KeyFact, key_id(raw)) is not None:
        raise Refused(Outcome.ALREADY_REGISTERED, "the key is registered")
    act.facts.put(KeyFact(raw, purpose, family, owner, act.moment.index, None), key_id(raw))


def _seal_id(raw: bytes) -> bytes:
    if not sealable(raw):
        raise Refused(Outcome.KEY_WEAK)
    return key_id(raw, Algorithm.XWING)


def register_organisation(act: Act, body: bodies.RegisterOrganisation) -> Value:
    """A new one, or a later version: with other keys, homes or prefixes. What it has issued stays its own."""
    act.require_parts()
    seal_id, known = _seal_id(body.seal_key), act.facts.get(Organisation, body.code)
    if known is not None and known.kind is not body.kind:
        raise Refused(Outcome.VERSION_WRONG, "an organisation keeps its kind")
    _require_field(act, body)
    if known is None or known.sign_key != body.sign_key:
        _key(act, body.sign_key, Purpose.SIGN, Family.ORGANISATION, body.code)
    earlier = () if known is None else known.earlier
    if known is not None and known.seal_id != seal_id:
        earlier = (*earlier, known.seal_id)
    if len(earlier) >= MOST_KEYS:
        raise Refused(Outcome.TOO_MANY, f"an organisation has {MOST_KEYS} sealing keys in all")
    act.facts.put(
        Organisation(body.code, body.kind, body.sign_key, seal_id, earlier, body.homes, body.prefixes), body.code
    )
    return [int(body.TYPE), body.code]


def _require_field(act: Act, body: bodies.RegisterOrganisation) -> None:
    """An issuer has homes and number prefixes of its own; no two issuers' numbers can be the same."""
    issues = body.kind is OrganisationKind.ISSUER
    if bool(body.homes) is not issues or bool(body.prefixes) is not issues:
        raise Refused(Outcome.PARENT_UNKNOWN, "an issuer, and only an issuer, has homes and number prefixes")
    for code in body.homes:
        if act.facts.get(Territory, code) is None:
            raise Refused(Outcome.PARENT_UNKNOWN, f"territory {code} is not registered")
    for prefix in body.prefixes:
        for end in range(2, len(prefix) + 1):
            known = act.facts.get(NumberPrefix, prefix[:end])
            if known is not None and known.owner != body.code and (known.whole or end == len(prefix)):
                whose = known.owner or "other issuers"
                raise Refused(Outcome.ALREADY_REGISTERED, f"numbers of {whose} begin with {prefix[:end]}")
            whole = end == len(prefix) or (known is not None and known.whole)
            owner = body.code if known is None or known.owner == body.code else None
            act.facts.put(NumberPrefix(owner, whole), prefix[:end])


def register_administration(act: Act, body: bodies.RegisterAdministration) -> Value:
    """A new one, or the same with other keys: its offices, desk authorities and territories stay its own."""
    act.require_parts()
    seal_id, known = _seal_id(body.seal_key), act.facts.get(Administration, body.code)
    if known is not None and (known.sign_key, known.seal_id) == (body.sign_key, seal_id):
        raise Refused(Outcome.ALREADY_REGISTERED, f"{body.code} exists")
    if known is None or known.sign_key != body.sign_key:
        _key(act, body.sign_key, Purpose.SIGN, Family.ADMINISTRATION, body.code)
    keys = 1 if known is None else known.keys + 1
    if keys > MOST_KEYS:
        raise Refused(Outcome.TOO_MANY, f"an administration has {MOST_KEYS} pairs of keys in all")
    act.facts.put(Administration(body.code, body.sign_key, seal_id, keys), body.code)
    return [int(body.TYPE), body.code]


def register_territory(act: Act, body: bodies.RegisterTerritory) -> Value:
    act.require_parts()
    if not body.administrations or len(set(body.administrations)) != len(body.administrations):
        raise Refused(Outcome.PARENT_UNKNOWN, "a territory has its administrations, each once")
    for code in body.administrations:
        if act.facts.get(Administration, code) is None:
            raise Refused(Outcome.PARENT_UNKNOWN, f"administration {code} is not registered")
    fact = Territory(body.code, body.administrations, body.digital_from, body.two_step_export, 0, ())
    _new(act, fact, body.code)
    return [int(body.TYPE), body.code, body.digital_from]


def administration_of(act: Act, code: str) -> Administration:
    """The administration named, which must be the author."""
    found = act.facts.get(Administration, code)
    if found is None:
        raise Refused(Outcome.PARENT_UNKNOWN, f"administration {code} is not registered")
    if found.sign_key != act.author:
        raise Refused(Outcome.ROLE_FORBIDDEN, f"only {code} may register this")
    return found


def territory_of(act: Act, code: str, administration: str) -> Territory:
    found = act.facts.get(Territory, code)
    if found is None:
        raise Refused(Outcome.PARENT_UNKNOWN, f"territory {code} is not registered")
    if administration not in found.administrations:
        raise Refused(Outcome.ROLE_FORBIDDEN, f"{administration} has no part of territory {code}")
    return found


def register_office(act: Act, body: bodies.RegisterOffice) -> Value:
    act.require_parts()
    if not body.offsets:
        raise Refused(Outcome.OFFSET_WRONG, "an office has at least one clock offset")
    administration_of(act, body.administration)
    territory_of(act, body.territory, body.administration)
    require_own_code(body.code, body.administration, body.territory)
    fact = Office(body.code, body.administration, body.territory, body.name, body.offsets, body.active, body.effective)
    known = act.facts.get(Office, body.code)
    if known is not None and (known.administration, known.territory) != (body.administration, body.territory):
        raise Refused(Outcome.VERSION_WRONG, "an office keeps its administration and territory")
    put_version(act, fact, body.code, None if known is None else known.effective, body.effective)
    return [int(body.TYPE), body.code, body.territory]


def require_own_code(code: str, administration: str, territory: str) -> None:
    """Codes of offices and regions are first come: each administration's begin with its own code, or the territory's."""
    if not code.startswith((administration, territory)):
        raise Refused(Outcome.CODE_NOT_OF_ADMINISTRATION, f"begin with {administration} or {territory}")


def register_desk_ca(act: Act, body: bodies.RegisterDeskCA) -> Value:
    act.require_parts()
    administration_of(act, body.administration)
    act.require_signature(body.key)  # whoever has only seen a key cannot take it before its owner does
    _key(act, body.key, Purpose.DESK_CA, Family.ADMINISTRATION, body.administration)
    return [int(body.TYPE), body.administration]


def register_territory_key(act: Act, body: bodies.RegisterTerritoryKey) -> Value:
    """A generation is open to every member administration: one stanza each, no more, no fewer."""
    administration_of(act, body.administration)
    territory = territory_of(act, body.territory, body.administration)
    members = [act.facts.get(Administration, code) for code in territory.administrations]
    seal_ids = [member.seal_id for member in members if member is not None]
    act.require_parts(*((Label.STANZA, body.generation, seal_id) for seal_id in seal_ids))
    identity = _seal_id(body.key)
    if act.facts.get(TerritoryKey, identity) is not None:
        raise Refused(Outcome.ALREADY_REGISTERED, "the key is registered")
    if body.generation != territory.generation + 1 or not _lives(body, act.moment.log_time):
        raise Refused(Outcome.KEY_LIFE_WRONG, f"generation {territory.generation + 1} comes next")
    act.facts.put(
        TerritoryKey(
            body.territory, body.generation, body.key, body.valid_from, body.valid_to, act.moment.index, None
        ),
        identity,
    )  # fmt: skip
    kept = [key for key in territory.keys if key.valid_to >= act.moment.log_time - KEY_KEPT]
    share = max(LEAST_KEYS, MOST_TERRITORY_KEYS // len(members))
    if sum(key.by == body.administration for key in kept) >= share:
        raise Refused(Outcome.TOO_MANY, f"{body.administration} has {share} keys of {body.territory} that live")
    keys = (*kept, LiveKey(identity, body.valid_from, body.valid_to, body.administration))
    act.facts.put(replace(territory, keys=keys, generation=body.generation), body.territory)
    return [int(body.TYPE), body.territory, body.generation]


def _lives(body: bodies.RegisterTerritoryKey, now: int) -> bool:
    """At most 120 days, from about now on: a generation that lives for ever would outlive everyone who may replace it."""
    begins = now - DAY - KEY_AHEAD <= body.valid_from <= now + KEY_AHEAD
    return begins and max(now, body.valid_from) < body.valid_to <= body.valid_from + KEY_LIFE


def revoke_key(act: Act, body: bodies.RevokeKey) -> Value:
    """By ICC operations, or by the administration whose desk authority it is; what came before stays as it was.

    A territory's key is revoked by any of its member administrations too.
    """
    act.require_parts()
    fact = act.facts.get(KeyFact, body.key)
    if fact is None:
        return _revoke_territory_key(act, body)
    own = act.facts.get(Administration, fact.owner) if fact.purpose is Purpose.DESK_CA else None
    if act.author != act.charter.operations and (own is None or own.sign_key != act.author):
        raise Refused(Outcome.ROLE_FORBIDDEN)
    if fact.revoked is not None:
        raise Refused(Outcome.KEY_REVOKED, "it was revoked before")
    act.facts.put(replace(fact, revoked=act.moment.index), body.key)
    return [int(body.TYPE), body.key, int(fact.purpose), fact.owner]


def _revoke_territory_key(act: Act, body: bodies.RevokeKey) -> Value:
    generation = act.facts.get(TerritoryKey, body.key)
    territory = None if generation is None else act.facts.get(Territory, generation.territory)
    if generation is None or territory is None:
        raise Refused(Outcome.PARENT_UNKNOWN, "no such key is registered")
    members = (act.facts.get(Administration, code) for code in territory.administrations)
    own = any(member is not None and member.sign_key == act.author for member in members)
    if act.author != act.charter.operations and not own:
        raise Refused(Outcome.ROLE_FORBIDDEN)
    if generation.revoked is not None:
        raise Refused(Outcome.KEY_REVOKED, "it was revoked before")
    act.facts.put(replace(generation, revoked=act.moment.index), body.key)
    keys = tuple(key for key in territory.keys if key.id != body.key)
    act.facts.put(replace(territory, keys=keys), territory.code)
    return [int(body.TYPE), body.key, int(Purpose.SEAL), territory.code]


def due_day(log_time: int) -> int:
    """The day whose tick is due at `log_time` (ms UTC): that of the newest 05:00 UTC."""
    return (log_time - TICK_HOUR) // DAY


def tick(act: Act, body: bodies.Tick) -> Value:
    """The first tick of a day counts, once log time has passed 05:00 UTC of it (ACC-46, domain §2.7).

    The day goes back with log time, where a new era sets that right.
    """
    act.require_parts()
    chain = act.chain()
    if body.day == chain.as_of or body.day != due_day(act.moment.log_time):
        raise Refused(Outcome.TICK_EARLY)
    act.facts.put(replace(chain, as_of=body.day), b"")
    return [int(body.TYPE), body.day]
