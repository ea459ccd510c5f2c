"""H20. The attacker names a holder, a file or an office so that an officer's terminal shows something else than is there."""

import io
import json
from dataclasses import replace

import pytest
from eata_clients.authoring.content import CarnetContent, Goods, remarks, sealable
from eata_host.console import as_text, say
from eata_host.words import shown, written
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import Publish, RegisterOffice
from eata_ledger.record import CODE, text
from eata_nics.orders import order_from
from rich.console import Console
from rich.text import Text

from tests.office import order

EVIL = "Evil\x1b[2K\x1b[32mVERIFIED"
UNSEEN = [
    "\0",
    "\n",
    "\r",
    "\x1b",
    "\x7f",
    "\x9b",
    "\u202e",
    "\u2066",
    "\u200f",
    "\u2028",
    "\ufeff",
    "\ue000",
    "\ufffe",
]


def content(holder: str) -> CarnetContent:
    return CarnetContent(holder, (), "Fairs", "CHF", 2, ("EU",), (Goods(1, "Stand", 1, "CH", 100, ""),))


@pytest.mark.parametrize("bad", [EVIL, *UNSEEN, "\U000e0041"], ids=ascii)
def test_the_gateway_seals_nothing_that_cannot_be_seen(bad: str) -> None:
    for changes in (
        {"holder": f"A{bad}B"}, {"representatives": [f"A{bad}"]}, {"intended_use": f"A{bad}"},
        {"goods": [{"item": 1, "description": f"A{bad}B", "pieces": 1, "origin": "CH", "value": "1.00"}]},
    ):  # fmt: skip
        with pytest.raises(Malformed, match="cannot be written"):
            order_from(order(**changes))


@pytest.mark.parametrize("bad", UNSEEN, ids=ascii)
def test_neither_do_the_wallet_and_the_desk(bad: str) -> None:
    with pytest.raises(Malformed):
        sealable(content(f"A{bad}B"))
    if bad != "\n":  # remarks are lines
        with pytest.raises(Malformed):
            sealable(remarks(remarks=f"A{bad}B"))


def test_text_is_composed() -> None:
    """One name, one spelling: a decomposed é is the same é (NFC)."""
    assert written("Andre\u0301") == "André"
    assert CarnetContent.from_bytes(sealable(content("Andre\u0301"))).holder == "André"


@pytest.mark.parametrize("bad", [*UNSEEN, "A\tB"], ids=ascii)
def test_the_ledger_takes_no_such_public_text(bad: str) -> None:
    """Offices, regions, news: by a fixed list of characters, the same on every replica."""
    if bad != "\ue000":  # private use may be assigned by an administration's own font; it is only shown as what it is
        with pytest.raises(Malformed):
            RegisterOffice.from_value(["CH-X", "CH", "CH", f"A{bad}B", [60], True, 1])
    for code in (f"CH{bad}", "ＣＨ", "CH ZRH", "", "-CH", "CH/ZRH", "x" * 25):
        with pytest.raises(Malformed):
            CODE.load(code)
    assert text(9, lines=True).load("a\nb") == "a\nb"
    assert Publish.from_value([1, "k", "t", "a\nb", 1]).text == "a\nb"


def test_what_a_hostile_client_sealed_is_shown_as_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Its own program checks nothing: the reader's does the rest, in lines, in JSON and on the desk's terminal."""
    hostile = replace(content("A"), holder=EVIL + "\n\u202eGO")
    value = content("A").to_value()
    assert isinstance(value, list)
    read = CarnetContent.from_value([EVIL + "\n\u202eGO", *value[1:]])
    assert read.holder == hostile.holder
    say({"holder": read.holder}, False, f"holder {read.holder}")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert not set(printed) & {"\x1b", "\u202e"}
    assert "⟨U+001B⟩[2K" in printed
    plain = as_text({"holder": read.holder})
    assert not set(plain) & {"\x1b", "\u202e"}
    assert json.loads(plain) == {"holder": read.holder}
    screen = io.StringIO()
    Console(file=screen, force_terminal=True, markup=False).print(Text(shown(read.holder)))
    assert "\x1b[2K" not in screen.getvalue()


def test_nothing_a_person_wrote_is_markup() -> None:
    """An office named `Basel [/rail] Autobahn` is an office."""
    screen = io.StringIO()
    Console(file=screen, markup=False).print(Text(shown("Basel [/rail] Autobahn")))
    assert screen.getvalue() == "Basel [/rail] Autobahn\n"
