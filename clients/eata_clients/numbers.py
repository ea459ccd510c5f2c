"""Carnet numbers to IDs."""

from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_clients.transport import Transport


async def carnet_id_of(transport: Transport, carnet: str) -> int:
    """A carnet ID as it is, a carnet number through the open lookup (C-16). A wrong ID opens with no code and no PIN."""
    if carnet.isdecimal():
        return int(carnet)
    reply = await transport.call(
        lambda channel: ledger_pb2_grpc.LedgerStub(channel).Number,
        ledger_pb2.NumberRequest(number=carnet.upper(), session=transport.session),
    )
    return reply.carnet_id
