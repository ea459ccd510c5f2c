"""H14. The attacker is a desk, or the node beside it, that was shown one voucher of a travel and would read the rest of it."""

import pytest
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Label
from eata_ledger.encoding import sha256
from eata_ledger.log.declared import Declared
from eata_ledger.seal.codes import CodeKeys

from tests.world import World

pytestmark = pytest.mark.rule("N-04")
OUT, INTO = (Kind.EXPORTATION, "CH", "1-20"), (Kind.IMPORTATION, "EU", "1-20")


def test_a_header_says_nothing_of_what_is_declared(world: World, pin_keys: CodeKeys) -> None:
    """Two travels of as many vouchers are alike: kinds, territories and items stand in the parts alone."""
    held = world.hold(world.issue(), pin_keys)
    one, _ = world.prepare(held, OUT, INTO)
    other, _ = world.prepare(held, INTO, (Kind.REEXPORTATION, "JP", "1,3,5,7,9-11,13"))
    shapes = [[(i.label, i.slot, i.length) for i in entry.header.parts] for entry in (one, other)]
    assert shapes[0] == shapes[1]
    assert [len(entry.header.encoded) for entry in (one, other)] == [len(one.header.encoded)] * 2


def test_a_digest_cannot_be_guessed(world: World, pin_keys: CodeKeys) -> None:
    """Every kind, territory and list could be tried, were it not for the salt: 16 bytes of chance in each part."""
    held = world.hold(world.issue(), pin_keys)
    entry, [ticket] = world.prepare(held, OUT)
    again, _ = world.prepare(held, OUT)
    made = [next(p for p, i in zip(e.parts, e.header.parts, strict=True) if i.label is Label.DECLARED)
            for e in (entry, again)]  # fmt: skip
    first, second = map(Declared.from_part, made)
    assert first.salt != second.salt
    assert first.declaration.items == ticket.wish.items == Items.parse("1-20")
    assert entry.header.parts[0].digest == sha256(made[0]) != sha256(first.declaration.to_bytes())


def test_the_length_tells_no_list(world: World, pin_keys: CodeKeys) -> None:
    """A part is padded: what is declared of twenty items is as long as what is declared of one."""
    held = world.hold(world.issue(), pin_keys)
    sizes = {world.prepare(held, (Kind.IMPORTATION, "EU", items))[0].header.parts[0].length
             for items in ("1", "1-20", "1,3,5,7,9,11,13,15,17,19")}  # fmt: skip
    assert sizes == {256}
