"""A holder's travel from a few words: where to, through where, which items. Said before anything is written (APP-15, U5)."""

from collections import Counter
from dataclasses import dataclass

from eata_ledger.carnet.blocks import NEED_VALIDATION
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.goods.sets import set_of
from eata_ledger.carnet.journeys.foresight import Place, splits
from eata_ledger.carnet.journeys.travelling import origin_of, then, vouchers
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.vocabulary import RETURNS, Kind, Status, Validated, VoucherState
from eata_ledger.encoding import Malformed
from eata_ledger.outcomes import Outcome
from eata_ledger.wording import Audience, words

from eata_clients.authoring.content import NO_DETAILS, DeclarationContent
from eata_clients.authoring.holding import Wish
from eata_clients.holder.downloaded import Downloaded
from eata_clients.net.errors import EataError

_WORDS = {"all": "all", "rest": "rest", "same": "same as last"}


@dataclass(frozen=True)
class WantedTravel:
    """What a holder says: `to` and `transits` are countries or territories, `items` ranges or all, rest, same."""

    to: str
    transits: tuple[str, ...] = ()
    items: str = "all"
    origin: str = ""  # where the goods are; found by itself where they are all in one place
    not_returned: Items = Items()
    details: DeclarationContent = NO_DETAILS


def plan(shown: Downloaded, trip: WantedTravel, today: int, digital_home: bool) -> tuple[Wish, ...]:
    """The vouchers that the trip needs. Raises `EataError`, `Malformed`, in the holder's words."""
    carnet, home, to = shown.carnet, shown.carnet.home, territory_of(trip.to)
    transits = tuple(map(territory_of, trip.transits))
    for place in (to, *transits):
        if place not in (home, *carnet.box_p):
            covers = ", ".join((home, *carnet.box_p))
            raise _refused(Outcome.TERRITORY_NOT_IN_BOX_P, f"This carnet is not valid in {place}: it covers {covers}.")
    _require_usable(shown, today, returning=to == home)
    items, origin = _chosen(shown, trip, home, to)
    validate = digital_home and _unvalidated(shown) and origin == home
    if {origin, to, home} & set(transits) or len(set(transits)) < len(transits):
        raise Malformed("a transit leads through a territory between where the goods are and where they go, each once")
    wanted = vouchers(home, origin, to, transits, validate)
    if trip.not_returned and not any(kind in RETURNS for kind, _ in wanted):
        raise Malformed("nothing is left behind on the way out: --not-returned goes with a re-export or re-import")
    going = items - trip.not_returned
    wishes = tuple(
        Wish(kind, place, going, trip.not_returned, trip.details) if kind in RETURNS
        else Wish(kind, place, carnet.all_items if kind is Kind.VALIDATION else going, details=trip.details)
        for kind, place in wanted
    )  # fmt: skip
    require_ready(shown, wishes, digital_home)
    return wishes


def require_ready(shown: Downloaded, wishes: tuple[Wish, ...], digital_home: bool) -> None:
    """Sets enough, and a validation made or prepared. Raises `EataError`."""
    needed = Counter(found for wish in wishes if (found := set_of(wish.kind)) is not None)
    short = [
        f"{kind.name} {shown.state.sets[kind].free} of {n}"
        for kind, n in needed.items()
        if shown.state.sets[kind].free < n
    ]
    if short:
        said = f"Too few voucher sets are left: {', '.join(short)}."
        raise _refused(
            Outcome.NO_SETS_LEFT,
            said,
            "Delete a travel that you do not need, or ask your issuer: `eata wallet ask CARNET --sets KIND=N`.",
        )
    first = next((wish.kind for wish in wishes if wish.kind in (*NEED_VALIDATION, Kind.VALIDATION)), Kind.VALIDATION)
    if digital_home and _unvalidated(shown) and first is not Kind.VALIDATION:
        said = "Your carnet has not been validated yet, and no validation is prepared."
        raise _refused(Outcome.NOT_VALIDATED, said, "Prepare it first: a travel --to somewhere does so by itself.")
    listed = [wish for wish in wishes if (wish.items | wish.not_returned) - shown.carnet.all_items]
    if listed:
        raise _refused(Outcome.ITEM_OUT_OF_RANGE, f"The carnet lists items {shown.carnet.all_items}.")


def _require_usable(shown: Downloaded, today: int, returning: bool) -> None:
    carnet, state = shown.carnet, shown.state
    for holds, outcome in (
        (state.status is Status.CANCELLED, Outcome.CARNET_CANCELLED),
        (state.status is Status.TERMINATED, Outcome.CARNET_TERMINATED),
        (state.blocked and not returning, Outcome.CARNET_BLOCKED),
        (today > carnet.valid_until and not returning, Outcome.CARNET_EXPIRED),
        (state.signed is None, Outcome.NOT_SIGNED),
    ):
        if holds:
            raise _refused(outcome)


def _chosen(shown: Downloaded, trip: WantedTravel, home: str, to: str) -> tuple[Items, str]:
    """Which items, and where they are, once everything prepared before has been done."""
    prepared = [
        (v.kind, v.territory, v.items, v.not_returned)
        for v in sorted(shown.vouchers, key=lambda v: v.slot)
        if v.state is VoucherState.PREPARED
    ]
    live = [row for row, _ in shown.rows if row.cancelled is None]
    gone = Items()
    for row in live:
        gone |= row.not_returned if row.kind in RETURNS else Items()
    places = then(home, shown.carnet.all_items, shown.goods.balances, gone, prepared)
    origin, word = trip.origin and territory_of(trip.origin), _WORDS.get(trip.items.strip().lower())
    if word is None:
        items = Items.parse(trip.items)
        if not items or items - shown.carnet.all_items:
            raise _refused(Outcome.ITEM_OUT_OF_RANGE, f"The carnet lists items {shown.carnet.all_items}.")
        found = origin_of(places, home, items)
        if origin not in ("", found):
            raise Malformed(f"items {items} are in {found}, not in {origin}")
        return items, found
    last = prepared[-1][2] if prepared else live[-1].items if live else Items()
    here = [
        p for p in places if p.place in (Place.HOME, Place.ABROAD) and p.territory != to and origin in ("", p.territory)
    ]
    if len(here) > 1 and to != home:  # on the way out goods leave home, unless it is said otherwise
        here = [place for place in here if place.place is Place.HOME]
    if len(here) != 1:
        where = "; ".join(f"{p.items} in {p.territory}" for p in here) or "none"
        raise Malformed(f"say which items or --from where: {where}")
    offers = {offer.name: offer.items for offer in splits(here[0].items, last)}
    otherwise = {"rest": here[0].items, _WORDS["same"]: here[0].items & last}
    items = offers.get(word) or otherwise.get(word, Items())
    if not items:
        raise Malformed(f"“{trip.items}” is nothing here: items {here[0].items} are in {here[0].territory}")
    return items, here[0].territory


def _unvalidated(shown: Downloaded) -> bool:
    """Neither validated nor about to be."""
    prepared = any(v.kind is Kind.VALIDATION and v.state is VoucherState.PREPARED for v in shown.vouchers)
    return shown.state.validated is Validated.NO and not prepared


def _refused(outcome: Outcome, said: str = "", then: str = "") -> EataError:
    sentence, advice = words(outcome, Audience.HOLDER)
    return EataError(outcome.name, said or sentence, then or advice)
