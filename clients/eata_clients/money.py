"""Amounts: whole numbers of a currency's minor unit inside, decimal strings at every edge (ISO 4217, domain §3.1)."""

import re

from eata_ledger.encoding import Malformed
from iso4217 import Currency

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]+))?", re.ASCII)


def decimals_of(code: str) -> int:
    """How many decimals a currency has: 2 for CHF, 0 for JPY, 3 for KWD. Raises `Malformed` for what is no currency."""
    try:
        found = Currency(code).exponent
    except ValueError:
        found = None
    if found is None:
        raise Malformed(f"“{code[:10]}” is not a currency of ISO 4217")
    return found


def read_amount(text: str, code: str) -> int:
    """“1500.00” as whole minor units; strict: no sign, no separators, no more decimals than the currency has.

    Raises `Malformed`.
    """
    decimals = decimals_of(code)
    match = _AMOUNT.fullmatch(text)
    if match is None or len(match[2] or "") > decimals:
        example = show_amount(150_000, decimals).replace(",", "")
        raise Malformed(f"“{text[:20]}” is not an amount in {code}, such as “{example}”")
    return int(match[1] + (match[2] or "").ljust(decimals, "0"))


def show_amount(minor: int, decimals: int) -> str:
    """Whole minor units for a person: “1,500.00”."""
    whole, rest = divmod(minor, 10**decimals)
    return f"{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")


def plain_amount(minor: int, decimals: int) -> str:
    """Whole minor units for a program: “1500.00”, as `read_amount` reads them."""
    return show_amount(minor, decimals).replace(",", "")
