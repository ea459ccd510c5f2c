"""Carnet numbers to IDs."""

from collections.abc import Collection

from eata_ledger.encoding import Malformed
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.net.transport import Transport

_LARGEST = 2**64 - 1


async def carnet_id_of(transport: Transport, carnet: str) -> int:
    """A carnet ID as it is, a carnet number through the open lookup (C-16). Raises `Malformed`, `EataError`.

    One node's word: a wrong ID opens with no code and no PIN.
    """
    return (await looked_up(transport, carnet))[0]


async def looked_up(transport: Transport, carnet: str, avoid: Collection[str] = ()) -> tuple[int, str]:
    """The ID and the node that said so, none of those in `avoid`; empty where the ID was given."""
    if carnet.isdecimal():
        return _read_id(carnet), ""
    reply, node = await transport.ask(
        lambda channel: ledger_pb2_grpc.LedgerStub(channel).Number,
        ledger_pb2.NumberRequest(number=carnet.upper(), session=transport.session), avoid,
    )  # fmt: skip
    return reply.carnet_id, node


def _read_id(text: str) -> int:
    found = int(text) if len(text) <= len(str(_LARGEST)) else 0
    if not 0 < found <= _LARGEST or not text.isascii():
        raise Malformed("a carnet ID is a whole number from 1 on, of at most 20 digits")
    return found
