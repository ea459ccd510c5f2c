"""A node asks its peers for their signatures: what it keeps of their answers, and when it asks again."""

from typing import Any, cast

from eata_ledger.proof.statement import Statement
from eata_node.writing.gathering import Gathering, Given
from eata_node.writing.receipts import Receipt, Receipts
from eata_proto.v1 import node_pb2

FRAME, NAMES = b"F" * 32, "abcde"


class Peer:
    """Signs whatever it is asked for, as `says`; `stuffing` is what a liar adds."""

    def __init__(self, name: str, says: list[bytes], stuffing: int = 0) -> None:
        self.kid, self.says, self.stuffing = name.encode().ljust(8), says, stuffing
        self.asked = 0

    async def SignStatements(  # noqa: N802
        self, request: node_pb2.SignStatementsRequest, timeout: float
    ) -> node_pb2.SignStatementsReply:
        self.asked += 1
        reply, signature = node_pb2.SignStatementsReply(signer=self.kid), self.says[0].ljust(64)
        for frame in request.frames:
            reply.statements.add(index=5, frame=frame, signature=signature)
        for index in request.indexes:
            reply.statements.add(index=index, signature=signature)
        for n in range(self.stuffing):
            reply.statements.add(index=n, frame=n.to_bytes(32, "big"), signature=bytes(64))
        return reply


def gathering(peers: dict[str, Peer]) -> Gathering:
    found = Gathering({})
    found._peers = cast(Any, peers)
    return found


class Book(Receipts):
    """Receipts of one entry that a node would sign as `says`; a peer's signature is good that says the same."""

    def __init__(self, asked: Gathering, says: list[bytes]) -> None:
        self._gathering, self._says = asked, says
        self._merged = cast(Any, {})
        self._replica = cast(Any, type("Replica", (), {"cosigning": type("Cosigning", (), {"excluded": frozenset()})}))

    def own(self, index: int) -> Receipt:
        return Receipt(Statement(self._says[0], ()), {}).merged(Given(b"own-node", bytes(64), b""))

    def _frame(self, index: int) -> bytes:
        return FRAME

    def _keep(self, index: int, receipt: Receipt) -> None:
        pass

    def _good(self, name: str, given: Given, payload: bytes) -> bool:
        return given.signature == payload.ljust(64)


async def test_since_a_cancellation_peers_are_asked_again() -> None:
    """What they gave while the entry was on its way says LIVE; nodes say something else now."""
    says = [b"LIVE"]
    asked = gathering({name: Peer(name, says) for name in NAMES})
    asked.foresee([FRAME])
    book = Book(asked, says)
    assert len((await book.merged(5, 6)).statement.signatures) == 6
    says[0] = b"CANCELLED"
    assert len((await book.merged(5, 6)).statement.signatures) == 6


async def test_what_nobody_asked_for_is_not_kept() -> None:
    """A liar fills its answer with other entries, and with signatures of any length."""
    liar = Peer("liar", [b"LIVE"], stuffing=5_000)
    asked = gathering({"liar": liar})
    asked.foresee([FRAME])
    [task] = asked.asked(FRAME, 5, ["liar"])
    assert list(await task) == [FRAME]
    liar.says[0] = b"x" * 100_000
    asked.foresee([b"G" * 32])
    [task] = asked.asked(b"G" * 32, 6, ["liar"])
    assert await task == {}
