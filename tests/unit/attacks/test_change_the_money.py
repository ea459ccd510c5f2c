"""H19. The attacker, or a careless client, wants an amount to be read as another than was meant."""

from decimal import Decimal
from typing import Any

import pytest
from eata_clients.authoring.content import CarnetContent, Goods
from eata_clients.money import decimals_of, plain_amount, read_amount, show_amount
from eata_ledger.encoding import Malformed
from eata_nics.orders import order_from, problems, total_of
from eata_proto.v1 import gateway_pb2
from google.protobuf import json_format

from tests.office import order

pytestmark = pytest.mark.rule("NICS-03")


def of(currency: str, *values: str, **changes: Any) -> gateway_pb2.IssueRequest:
    goods = [
        {"item": n, "description": "Stand", "pieces": 1, "origin": "CH", "value": v} for n, v in enumerate(values, 1)
    ]
    return order(currency=currency, goods=goods, **changes)


@pytest.mark.parametrize(
    ("currency", "value", "shown"),
    [
        ("JPY", "150000", "150,000"), ("KWD", "1.500", "1.500"), ("CHF", "1500.00", "1,500.00"), ("CHF", "1500", "1,500.00"),
        ("CHF", "0.05", "0.05"), ("CLF", "1.0001", "1.0001"), ("CHF", "0", "0.00"),
    ],
)  # fmt: skip
def test_every_currency_has_its_own_decimals(currency: str, value: str, shown: str) -> None:
    content = order_from(of(currency, value)).content
    assert content.worth == f"{shown} {currency}"


@pytest.mark.parametrize("code", ["ABC", "XAU", "XXX", "", "CH", "chf ", "ÄÖß", "ＣＨＦ"])
def test_what_is_no_currency_is_refused(code: str) -> None:
    assert {code for code, _ in problems(of(code, "1", total="1"), {"CH", "EU"}, None, 0)} >= {"CURRENCY"}
    with pytest.raises(Malformed, match="currency"):
        decimals_of(code)


@pytest.mark.parametrize(
    "text",
    ["1,500.00", "1.500,00", "1 500", "1'500", "-1", "+1", "1e3", "0x10", "١٥", "１５", "1.", ".5", "01", "1.005", "", " 1", "1\n", "NaN",
     "9" * 16],
)  # fmt: skip
def test_an_amount_is_read_strictly(text: str) -> None:
    with pytest.raises(Malformed, match="amount"):
        read_amount(text, "CHF")
    with pytest.raises(Malformed, match=r"amount|total"):
        order_from(of("CHF", "1.00", total=text))


def test_a_number_where_a_string_belongs_is_refused_before_it_is_rounded() -> None:
    """1.1 × 100 in JavaScript is 110.00000000000001: no number is taken, whatever it looks like."""
    for value in (1.1 * 100, 1500, 2**53 + 1):
        with pytest.raises(json_format.ParseError):
            order(goods=[{"item": 1, "description": "Stand", "pieces": 1, "origin": "CH", "value": value}], total="1")


@pytest.mark.parametrize(
    "changes", [{"total": "4703.80"}, {"total": "47028.01"}, {"items": 2}, {"items": 0}, {"total": ""}]
)
def test_a_total_or_a_count_that_differs_is_refused(changes: dict[str, Any]) -> None:
    """A line lost on the way, a comma in the wrong place: the sender's own sum finds it."""
    good = of("CHF", *["15676.00"] * 3)
    assert total_of(good) == "47028.00"
    order_from(good)
    with pytest.raises(Malformed, match=r"add up|items|amount"):
        order_from(of("CHF", *["15676.00"] * 3, **changes))


def test_great_sums_are_exact() -> None:
    """2⁵³ + (2⁵³ − 1) hundredths: no float ever holds them."""
    lines = tuple(Goods(n, "x", 1, "CH", value, "") for n, value in enumerate((2**53, 2**53 - 1), 1))
    content = CarnetContent("A", (), "Fairs", "CHF", 2, ("EU",), lines)
    assert content.worth == "180,143,985,094,819.83 CHF"
    assert Decimal(plain_amount(content.total, 2)) * 100 == 2**54 - 1
    assert show_amount(7, 3) == "0.007"
