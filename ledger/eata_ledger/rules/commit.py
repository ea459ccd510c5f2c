"""The officer's commit of all eight kinds: hard blocks in the domain's order, warnings, stanzas, effects.

Source: domain §2.2 (order of the blocks), §2.3 (dates), §2.5 (balances); ACC-20 to ACC-34.
"""

from eata_ledger.carnet.blocks import NEED_VALIDATION, Case, final_day, require_open
from eata_ledger.carnet.dates import MINUTE
from eata_ledger.carnet.territories import digital_by
from eata_ledger.carnet.vocabulary import RETURNS, Flag, Kind, Label, OrderType, Validated, Warning
from eata_ledger.carnet.warnings import warnings
from eata_ledger.encoding import Value
from eata_ledger.log.bodies import Commit
from eata_ledger.log.entry import PartInfo
from eata_ledger.outcomes import Outcome, Refused
from eata_ledger.rules.act import Act
from eata_ledger.rules.authors import desk_key
from eata_ledger.rules.commit_effects import Scene, write
from eata_ledger.rules.desk import CONTROLLERS, ActingDesk, at_desk, live_keys, require_office, require_time, shown
from eata_ledger.rules.devices import holder_of
from eata_ledger.rules.goods import stay_in
from eata_ledger.rules.keeping import require_granted
from eata_ledger.rules.links import REPLACED_BY, linked
from eata_ledger.state import Carnet, HoldFact, Organisation, Territory, of_territory

LATE = 10 * MINUTE


def commit(act: Act, body: Commit) -> Value:
    """Judges, then writes voucher, row, balances and sets. Returns the public facts of the receipt."""
    scene = _scene(act, body)
    require_open(_case(act, scene))
    validated = _validation(scene)
    _declaration(scene)
    require_time(act, scene.desk, scene.countersigned)
    act.require_not_before(scene.voucher.since, "the voucher was declared later")
    require_granted(act, body.carnet_id, body.slot)
    _stanzas(act, scene)
    final = final_day(body.kind, body.final_day, scene.day, scene.carnet.valid_until)
    found = _warned(act, scene)
    flags = _flags(act, scene, validated)
    return write(act, scene, validated, final, tuple(sorted(found)), flags)


def _scene(act: Act, body: Commit) -> Scene:
    carnet = act.carnet(body.carnet_id)
    voucher = shown(act, body.carnet_id, body.slot, body.voucher_key, body.kind)
    desk = at_desk(act, body.certificate, body.office)
    stay = stay_in(act.facts, body.carnet_id, desk.territory)
    countersigned = _countersigned(act, body, desk)
    return Scene(
        body, carnet, act.state(body.carnet_id), voucher, desk, stay, countersigned, holder_of(act, body.carnet_id).root
    )


def _countersigned(act: Act, body: Commit, desk: ActingDesk) -> bool:
    """A live controller of the same office and administration signs too: another officer than the one who commits."""
    if body.controller is None:
        return False
    controller, owner = desk_key(act, body.controller)
    if act.revoked:
        raise Refused(Outcome.KEY_REVOKED, "the controller's desk authority")
    act.require_signature(controller.key)
    live = controller.lives_at(act.moment.log_time)
    at_home = controller.office == body.office and owner == desk.administration
    other = controller.key != desk.certificate.key and controller.officer != desk.certificate.officer
    return live and at_home and other and controller.role in CONTROLLERS


def _case(act: Act, scene: Scene) -> Case:
    carnet, state, voucher, home = scene.carnet, scene.state, scene.voucher, _home(act, scene.carnet)
    return Case(
        scene.body.kind, scene.day, scene.territory, voucher.kind, voucher.territory, carnet.home, carnet.box_p,
        carnet.valid_until, digital_by(home.digital_from, carnet.issued), home.two_step_export,
        state.status, state.blocked, scene.countersigned, _held(act, scene), state.validated,
        state.signed is not None, bool(scene.stay.transit),
    )  # fmt: skip


def _held(act: Act, scene: Scene) -> bool:
    """A hold stops its own territory only (ACC-40, C-09)."""
    hold = act.facts.get(HoldFact, of_territory(scene.territory), scene.carnet.carnet_id)
    return hold is not None and hold.released is None


def _home(act: Act, carnet: Carnet) -> Territory:
    home = act.facts.get(Territory, carnet.home)
    assert home is not None, "a carnet's home is registered"
    return home


def _validation(scene: Scene) -> Validated:
    """Validated at home, or by the system where home was a paper territory at issue (GTP-06, C-12)."""
    validated = scene.state.validated
    if scene.body.kind is Kind.VALIDATION:
        return Validated.YES
    return Validated.AUTO if validated is Validated.NO and scene.body.kind in NEED_VALIDATION else validated


def _declaration(scene: Scene) -> None:
    body, carnet = scene.body, scene.carnet
    if scene.voucher.root != scene.root:
        raise Refused(Outcome.CODE_VOIDED)
    require_office(scene.desk)
    if body.declaration != scene.voucher.declaration or scene.voucher.content != carnet.content:
        raise Refused(Outcome.STALE_VERSION)
    listed = body.items | body.not_returned
    if not listed or not (listed | body.processed) <= carnet.all_items:
        raise Refused(Outcome.ITEM_OUT_OF_RANGE)
    if body.items & body.not_returned or not body.processed <= body.items:
        raise Refused(Outcome.LISTS_OVERLAP)
    if body.not_returned and body.kind not in RETURNS:
        raise Refused(Outcome.FIELD_NOT_OF_KIND, "only returns leave items behind")
    if body.processed and body.kind is not Kind.REIMPORTATION:
        raise Refused(Outcome.FIELD_NOT_OF_KIND, "only re-imported goods were processed abroad")


def _stanzas(act: Act, scene: Scene) -> None:
    """Exactly the parts and recipients that the visibility rule asks for (U9): none more, none fewer."""
    kind, slot = scene.body.kind, scene.body.slot
    labels = (Label.COUNTERFOIL, Label.REMARKS, *((Label.FINAL,) if kind is Kind.REIMPORTATION else ()))
    stanzas = act.entry.header.parts[len(labels) :]
    _recipients(act, scene, stanzas)
    act.require_parts(
        *((label, slot, None) for label in labels), *((Label.STANZA, slot, info.recipient) for info in stanzas)
    )


def _recipients(act: Act, scene: Scene, stanzas: tuple[PartInfo, ...]) -> None:
    """Own territory, home if another, the issuer for a validation; any generation live at event time."""
    wanted = [
        live_keys(act, code, act.entry.header.event_time) for code in recipients(scene.territory, scene.carnet.home)
    ]
    if scene.body.kind is Kind.VALIDATION:
        issuer = act.facts.get(Organisation, scene.carnet.issuer)
        assert issuer is not None, "a carnet's issuer is registered"
        wanted.append(frozenset({issuer.seal_id}))
    wanted = [keys for keys in wanted if keys]
    if len(stanzas) != len(wanted) or any(
        info.recipient not in keys for info, keys in zip(stanzas, wanted, strict=True)
    ):
        raise Refused(Outcome.STANZAS_WRONG)


def recipients(territory: str, home: str) -> tuple[str, ...]:
    """The territories a commit seals stanzas to, in this order."""
    return (territory,) if territory == home else (territory, home)


def _warned(act: Act, scene: Scene) -> frozenset[Warning]:
    """Every warning the rules compute must have been acknowledged (C-20)."""
    listed = scene.body.items | scene.body.not_returned
    kind, stay = scene.body.kind, scene.stay
    replaced = bool(linked(act, scene.carnet.carnet_id, OrderType.REPLACEMENT, REPLACED_BY))
    local, exit_first = scene.state.local(stay), _exit_first(act, scene)
    found = warnings(kind, local, stay.open(kind), scene.day, listed, exit_first, replaced)
    missing = found - set(scene.body.acknowledged)
    if missing:
        raise Refused(Outcome.REASON_REQUIRED, ", ".join(sorted(warning.name for warning in missing)))
    return found


def _exit_first(act: Act, scene: Scene) -> bool:
    """An EU exit with no pre-exportation before it: both are written (ACC-27)."""
    exported = scene.body.kind is Kind.EXPORTATION and scene.voucher.pre_exported is None
    return exported and _home(act, scene.carnet).two_step_export


def _legal(act: Act, scene: Scene) -> bool:
    """Digital transactions count in law from the territory's digital date on; before it they are tests (GTP-16)."""
    territory = act.facts.get(Territory, scene.territory)
    assert territory is not None, "judged before"
    return digital_by(territory.digital_from, scene.day)


def _flags(act: Act, scene: Scene, validated: Validated) -> Flag:
    flags = scene.body.flags
    if act.moment.log_time > act.entry.header.event_time + LATE:
        flags |= Flag.LATE
    if act.moment.clock_stalled:
        flags |= Flag.CLOCK_STALLED
    if scene.carnet.test or not _legal(act, scene):
        flags |= Flag.TEST
    if validated is Validated.AUTO and scene.state.validated is Validated.NO:
        flags |= Flag.AUTO_VALIDATION
    if _exit_first(act, scene):
        flags |= Flag.PRE_EXPORTATION_WRITTEN
    return flags
