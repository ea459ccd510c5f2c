"""H15. The attacker is a node: it tells a peer of showings that no desk made, as many and as long as the peer takes."""

import asyncio
import sys

import pytest
from eata_ledger.encoding import Malformed
from eata_node.services.presentations import Presentations, Shown, ShownCode
from eata_proto.v1 import node_pb2

pytestmark = pytest.mark.rule("U13")
NOW = 1_780_401_600_000
OURS = ShownCode(883, 1)


def told(carnet_id: int, slot: int = 1, office: str = "CHZRH", desk: bytes = bytes(16), time: int = NOW) -> node_pb2.PresentedRequest:  # fmt: skip
    return node_pb2.PresentedRequest(carnet_id=carnet_id, slot=slot, office=office, desk=desk, time=time)


@pytest.fixture
async def memory() -> Presentations:
    return Presentations({}, lambda: NOW)


@pytest.mark.parametrize(
    "showing",
    [
        told(1, office="X" * 10_000), told(1, office=""), told(1, desk=bytes(10_000)), told(1, desk=b""),
        told(1, slot=2**31), told(1, time=NOW + 86_400_001), told(1, time=0), told(1, time=2**63),
    ],
    ids=["a long office", "no office", "a long desk", "no desk", "no slot", "tomorrow", "long ago", "never"],
)  # fmt: skip
async def test_what_no_desk_can_have_shown_is_malformed(
    memory: Presentations, showing: node_pb2.PresentedRequest
) -> None:
    with pytest.raises(Malformed):
        memory.hear("mumbai", showing)
    assert not memory.show(ShownCode(1, 1), Shown("CHZRH", bytes(16), NOW))


async def test_a_flood_forgets_the_floods_own_alone(memory: Presentations) -> None:
    """Fifty thousand codes from one peer: memory stays bounded, and what others told is still known."""
    memory.hear("tokyo", told(*OURS, desk=b"t" * 16))
    memory.show(OURS._replace(slot=2), Shown("CHZRH", b"z" * 16, NOW))
    for number in range(50_000):
        memory.hear("mumbai", told(10_000 + number, desk=number.to_bytes(16, "big")))
    kept = memory._shown["mumbai"]
    assert len(kept) == 10_000
    assert sum(map(sys.getsizeof, kept.values())) < 2_000_000
    assert [s.desk for s in memory.show(OURS, Shown("DEBER", b"d" * 16, NOW))] == [b"t" * 16]
    assert [s.desk for s in memory.show(OURS._replace(slot=2), Shown("DEBER", b"d" * 16, NOW))] == [b"z" * 16]


async def test_one_code_shown_over_and_over_keeps_four(memory: Presentations) -> None:
    listener = memory.listen()
    for number in range(10_000):
        memory.hear("mumbai", told(*OURS, desk=number.to_bytes(16, "big")))
    assert len(memory._shown["mumbai"][OURS]) == 4
    assert listener.qsize() == 8
    await asyncio.sleep(0)
