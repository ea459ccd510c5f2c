"""From an issuer's request to an order, with the rules that only a reader can check (domain §2.1, §3.1)."""

from eata_clients.authoring.content import CarnetContent, Goods
from eata_clients.authoring.issuing import Order
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.vocabulary import SetKind
from eata_ledger.encoding import Malformed
from eata_proto.v1 import gateway_pb2

_MAX_TEXT = 4000


def order_from(request: gateway_pb2.IssueRequest) -> Order:
    """Raises `Malformed` with the box that is wrong."""
    _require(1 <= len(request.request_id) <= 64, "request_id has 1 to 64 characters")
    _require(
        1 <= len(request.number) <= 24 and request.number.isascii() and request.number.isalnum(),
        "box G(a): the carnet number is letters and digits",
    )
    _require(request.number == request.number.upper(), "box G(a): the carnet number is upper case")
    _require(len(request.currency) == 3 and request.currency.isalpha(), "the currency is an ISO 4217 code")
    _require(bool(request.holder.strip()), "box A: the holder is missing")
    _require(bool(request.itinerary), "the destination territories are missing (NICS-06)")
    _require(set(request.itinerary) <= {*request.box_p, request.home}, "box P: a destination is not covered")
    unknown = sorted(set(request.sets) - set(SetKind.__members__))
    _require(not unknown, f"unknown set kind {unknown[:1]}; kinds are {', '.join(SetKind.__members__)}")
    _require(all(count <= 65_535 for count in request.sets.values()), "too many sets")
    content = CarnetContent(
        request.holder, tuple(request.representatives), request.intended_use, request.currency.upper(),
        tuple(request.itinerary), _goods(request),
    )  # fmt: skip
    sets = {SetKind[name]: count for name, count in request.sets.items()}
    return Order(
        request.number, request.home, tuple(request.box_p), day_of(request.valid_until), sets, content, request.test
    )


def _goods(request: gateway_pb2.IssueRequest) -> tuple[Goods, ...]:
    _require(1 <= len(request.goods) <= 10_000, "the general list has 1 to 10,000 items")
    for place, line in enumerate(request.goods, 1):
        _require(line.item == place, f"general list: line {place} has item number {line.item}")
        _require(line.value_minor >= 0, f"general list: item {place} has a negative value")
        _require(bool(line.description.strip()), f"general list: item {place} has no description")
        _require(
            len(line.description) <= _MAX_TEXT, f"general list: item {place} is longer than {_MAX_TEXT} characters"
        )
        _require(len(line.origin) == 2 and line.origin.isalpha(), f"general list: item {place} has no ISO origin")
    return tuple(
        Goods(line.item, line.description, line.pieces, line.origin.upper(), line.value_minor, line.weight)
        for line in request.goods
    )


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise Malformed(why)
