"""From an issuer's request to an order, with the rules that only a reader can check (domain §2.1, §3.1)."""

from collections.abc import Iterator, Mapping

from eata_clients.authoring.content import MOST_CHARACTERS, CarnetContent, Goods, sealable
from eata_clients.authoring.issuing import Order
from eata_clients.money import decimals_of, plain_amount, read_amount
from eata_host.words import written
from eata_ledger.carnet.dates import day_of, last_valid_day
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.vocabulary import CarnetType, Label, OrderType, SetKind
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RegisterOrganisation
from eata_ledger.rules.act import LONGEST
from eata_ledger.seal.aead import OVERHEAD, padme
from eata_proto.v1 import gateway_pb2

_MAX_TERRITORIES = 200


Problem = tuple[str, str]


def order_from(request: gateway_pb2.IssueRequest) -> Order:
    """Raises `Malformed` with the first thing that is wrong."""
    for _, sentence in _wrong(request):
        raise Malformed(sentence)
    currency = request.currency.upper()
    content = CarnetContent(
        request.holder, tuple(request.representatives), request.intended_use, currency, decimals_of(currency),
        tuple(request.itinerary), _goods(request, currency),
    )  # fmt: skip
    if padme(OVERHEAD + len(sealable(content)) + 1) > LONGEST[Label.CARNET]:
        raise Malformed(
            f"general list: it is too long: holder and goods are {LONGEST[Label.CARNET] // 1024} KiB at most"
        )
    return Order(
        request.number, request.home, tuple(request.box_p), day_of(request.valid_until), sets_from(request.sets),
        content, request.test, CarnetType[request.type or "ATA"],
        OrderType.CLONE if request.clone else OrderType.ORIGINAL,
    )  # fmt: skip


def problems(
    request: gateway_pb2.IssueRequest, territories: set[str], own: RegisterOrganisation | None, today: int
) -> list[Problem]:
    """Everything that is wrong, with the box it is in; also what only the registry knows. `own` is the issuer's record."""
    found = list(_wrong(request))
    if not any(sentence.startswith("box G(c)") for _, sentence in found):
        last = day_of(request.valid_until)
        if not today <= last <= last_valid_day(today):
            found.append(("BOX_G", "box G(c): the last day is today or later, within one year less a day"))
    for place, codes in (("HOME", {request.home}), ("BOX_P", {*request.box_p})):
        found += [(place, _unknown(place, code, territories)) for code in sorted(codes - territories)]
    if own is not None and request.home not in own.homes:
        found.append(("HOME", f"home: {own.code} issues carnets of {', '.join(own.homes)}"))
    if own is not None and not request.number.startswith(own.prefixes):
        found.append(("BOX_G", f"box G(a): numbers of {own.code} begin with {', '.join(own.prefixes)}"))
    return found


def _unknown(place: str, code: str, territories: set[str]) -> str:
    """Of a country that counts as part of another territory, which that is."""
    name, counts_as = "home" if place == "HOME" else "box P", territory_of(code)
    if counts_as != code and counts_as in territories:
        return f"{name}: {code} counts as {counts_as}: give {counts_as}"
    return f"{name}: territory {code} is not registered"


def _wrong(request: gateway_pb2.IssueRequest) -> Iterator[Problem]:
    number = request.number
    if not 1 <= len(request.request_id) <= 64:
        yield "REQUEST_ID", "request_id has 1 to 64 characters"
    if not (4 <= len(number) <= 24 and number.isascii() and number.isalnum() and number[:2].isalpha()):
        yield "BOX_G", "box G(a): the carnet number is a country code, then letters and digits"
    elif number != number.upper():
        yield "BOX_G", "box G(a): the carnet number is upper case"
    try:
        day_of(request.valid_until)
    except Malformed as error:
        yield "BOX_G", f"box G(c): {error}"
    yield from _wrong_words(request)
    yield from _wrong_worth(request)
    if not request.holder.strip():
        yield "BOX_A", "box A: the holder is missing"
    if not request.itinerary:
        yield "ITINERARY", "the destination territories are missing (NICS-06)"
    if not set(request.itinerary) <= {*request.box_p, request.home}:
        yield "BOX_P", "box P: a destination is not covered"
    if len(request.box_p) > _MAX_TERRITORIES or not all(
        1 <= len(code) <= 24 for code in (request.home, *request.box_p)
    ):
        yield "BOX_P", f"box P: up to {_MAX_TERRITORIES} territories; home and they have codes of 1 to 24 characters"
    if request.type not in ("", *CarnetType.__members__):
        yield "TYPE", f"carnet types are {', '.join(CarnetType.__members__)}"
    if sum(bool(link) for link in (request.replaces, request.twin_of, request.clone)) > 1:
        yield "LINK", "a carnet is a replacement, a twin or a clone, one of them"
    try:
        sets_from(request.sets)
    except Malformed as error:
        yield "SETS", str(error)
    yield from (("GENERAL_LIST", f"general list: {sentence}") for sentence in _wrong_goods(request))


def _wrong_words(request: gateway_pb2.IssueRequest) -> Iterator[Problem]:
    """Text that cannot be read as it stands is not sealed for an officer to read."""
    places = (
        ("BOX_A", "box A: the holder", (request.holder,)), ("BOX_B", "box B: a representative", request.representatives),
        ("BOX_C", "box C: the intended use", (request.intended_use,)),
        ("GENERAL_LIST", "general list", [text for line in request.goods for text in (line.description, line.weight)]),
    )  # fmt: skip
    for code, place, texts in places:
        for text in texts:
            try:
                written(text)
            except Malformed as error:
                yield code, f"{place}: {error}"


def _wrong_worth(request: gateway_pb2.IssueRequest) -> Iterator[Problem]:
    """Money is what was meant: every amount by its currency's decimals, and the caller's own total and count."""
    currency = request.currency.upper()
    try:
        decimals = decimals_of(currency)
    except Malformed as error:
        yield "CURRENCY", f"the currency: {error}"
        return
    if request.items != len(request.goods):
        yield "ITEMS", f"the general list has {len(request.goods)} items, “items” says {request.items}"
    values = []
    for place, line in enumerate(request.goods, 1):
        try:
            values.append(read_amount(line.value, currency))
        except Malformed as error:
            yield "GENERAL_LIST", f"general list: item {place}: {error}"
    try:
        total = read_amount(request.total, currency)
    except Malformed as error:
        yield "TOTAL", f"the total: {error}"
        return
    if len(values) == len(request.goods) and sum(values) != total:
        said, found = plain_amount(total, decimals), plain_amount(sum(values), decimals)
        yield "TOTAL", f"the values add up to {found}, “total” says {said}"


def _wrong_goods(request: gateway_pb2.IssueRequest) -> Iterator[str]:
    if not 1 <= len(request.goods) <= 10_000:
        yield "it has 1 to 10,000 items"
    for place, line in enumerate(request.goods, 1):
        if line.item != place:
            yield f"line {place} has item number {line.item}"
        if not line.description.strip():
            yield f"item {place} has no description"
        if len(line.description) > MOST_CHARACTERS:
            yield f"item {place} is longer than {MOST_CHARACTERS} characters"
        if len(line.origin) != 2 or not (line.origin.isascii() and line.origin.isalpha()):
            yield f"item {place} has no ISO origin"


def sets_from(asked: Mapping[str, int]) -> dict[SetKind, int]:
    """Voucher sets by name. Raises `Malformed`."""
    unknown = sorted(set(asked) - set(SetKind.__members__))
    if unknown:
        raise Malformed(f"unknown set kind {unknown[0]}; kinds are {', '.join(SetKind.__members__)}")
    if any(count > 65_535 for count in asked.values()):
        raise Malformed("too many sets")
    return {SetKind[name]: count for name, count in asked.items()}


def _goods(request: gateway_pb2.IssueRequest, currency: str) -> tuple[Goods, ...]:
    return tuple(
        Goods(
            line.item, line.description, line.pieces, line.origin.upper(), read_amount(line.value, currency), line.weight
        )
        for line in request.goods
    )  # fmt: skip


def total_of(request: gateway_pb2.IssueRequest) -> str:
    """What the values add up to, a decimal string; empty where one of them does not read."""
    try:
        currency = request.currency.upper()
        return plain_amount(sum(read_amount(line.value, currency) for line in request.goods), decimals_of(currency))
    except Malformed:
        return ""
