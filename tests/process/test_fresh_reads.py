"""P6 for those who carry no token: what was ordered a moment ago is not refused by a node that has not applied it yet."""

from types import SimpleNamespace

from eata_ledger.proof.qr import CodeQr
from eata_node.engine.interface import Head, Placed
from eata_node.node import Node

from tests.mesh import Mesh, People
from tests.process.scene import refused


def hold_back(node: Node) -> list[Placed]:
    """From here on the node applies nothing until a read asks where the log's head is."""
    waiting: list[Placed] = []
    take, head = node.replica.take, node.engine.head

    async def asked() -> Head:
        found = await head()
        node.replica.take = take  # type: ignore[method-assign]
        take(waiting)
        waiting.clear()
        return found

    node.replica.take = waiting.extend  # type: ignore[method-assign, assignment]
    node.readers._engine = SimpleNamespace(head=asked)
    return waiting


async def test_a_holder_with_a_fresh_letter_is_shown_the_carnet_by_a_node_that_is_behind(
    mesh: tuple[Mesh, People],
) -> None:
    house, people = mesh
    await house.settled()
    waiting = hold_back(house.proxies["tokyo"].node)
    issued = await people.issue(people.order())
    async with people.transport(prefer=["tokyo"]) as transport:
        assert not transport.session.position, "the letter carries no token"
        shown = await people.wallet(transport).download(CodeQr(str(issued.carnet_id), issued.pin))
        assert shown.carnet.carnet_id == issued.carnet_id
    assert not waiting


async def test_a_wrong_pin_is_refused_by_a_node_that_is_abreast(mesh: tuple[Mesh, People]) -> None:
    """The second look is for those who are early, not for those who guess: it changes no answer."""
    house, people = mesh
    issued = await people.issue(people.order())
    other = await people.issue(people.order())
    await house.settled()
    async with people.transport(prefer=["tokyo"]) as transport:
        wallet = people.wallet(transport, "thief")
        assert await refused(wallet.download(CodeQr(str(issued.carnet_id), other.pin))) == "NOT_VISIBLE"
