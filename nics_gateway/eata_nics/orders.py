"""From an issuer's request to an order, with the rules that only a reader can check (domain §2.1, §3.1)."""

from collections.abc import Iterator, Mapping

from eata_clients.authoring.content import CarnetContent, Goods, sealable
from eata_clients.authoring.issuing import Order
from eata_ledger.carnet.dates import day_of, last_valid_day
from eata_ledger.carnet.vocabulary import CarnetType, OrderType, SetKind
from eata_ledger.encoding import Malformed
from eata_proto.v1 import gateway_pb2

_MAX_TEXT, _MAX_TERRITORIES = 4000, 200


Problem = tuple[str, str]


def order_from(request: gateway_pb2.IssueRequest) -> Order:
    """Raises `Malformed` with the first thing that is wrong."""
    for _, sentence in _wrong(request):
        raise Malformed(sentence)
    content = CarnetContent(
        request.holder, tuple(request.representatives), request.intended_use, request.currency.upper(),
        tuple(request.itinerary), _goods(request),
    )  # fmt: skip
    sealable(content)
    return Order(
        request.number, request.home, tuple(request.box_p), day_of(request.valid_until), sets_from(request.sets),
        content, request.test, CarnetType[request.type or "ATA"],
        OrderType.CLONE if request.clone else OrderType.ORIGINAL,
    )  # fmt: skip


def problems(request: gateway_pb2.IssueRequest, territories: set[str], today: int) -> list[Problem]:
    """Everything that is wrong, with the box it is in; also what only the registry knows."""
    found = list(_wrong(request))
    if not any(sentence.startswith("box G(c)") for _, sentence in found):
        last = day_of(request.valid_until)
        if not today <= last <= last_valid_day(today):
            found.append(("BOX_G", "box G(c): the last day is today or later, within one year less a day"))
    unknown = sorted({request.home, *request.box_p} - territories)
    if unknown:
        found.append(("BOX_P", f"box P: territory {unknown[0]} is not registered"))
    return found


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
    if len(request.currency) != 3 or not request.currency.isalpha():
        yield "CURRENCY", "the currency is an ISO 4217 code"
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


def _wrong_goods(request: gateway_pb2.IssueRequest) -> Iterator[str]:
    if not 1 <= len(request.goods) <= 10_000:
        yield "it has 1 to 10,000 items"
    for place, line in enumerate(request.goods, 1):
        if line.item != place:
            yield f"line {place} has item number {line.item}"
        if line.value_minor < 0:
            yield f"item {place} has a negative value"
        if not line.description.strip():
            yield f"item {place} has no description"
        if len(line.description) > _MAX_TEXT:
            yield f"item {place} is longer than {_MAX_TEXT} characters"
        if len(line.origin) != 2 or not line.origin.isalpha():
            yield f"item {place} has no ISO origin"


def sets_from(asked: Mapping[str, int]) -> dict[SetKind, int]:
    """Voucher sets by name. Raises `Malformed`."""
    unknown = sorted(set(asked) - set(SetKind.__members__))
    if unknown:
        raise Malformed(f"unknown set kind {unknown[0]}; kinds are {', '.join(SetKind.__members__)}")
    if any(count > 65_535 for count in asked.values()):
        raise Malformed("too many sets")
    return {SetKind[name]: count for name, count in asked.items()}


def _goods(request: gateway_pb2.IssueRequest) -> tuple[Goods, ...]:
    return tuple(
        Goods(line.item, line.description, line.pieces, line.origin.upper(), line.value_minor, line.weight)
        for line in request.goods
    )
