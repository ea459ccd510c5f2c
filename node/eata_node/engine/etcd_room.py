"""Room in an etcd that fills up: each member's file is defragmented, and the alarm that a full one raised is lifted."""

import grpc
import grpc.aio
import structlog
from eata_proto.etcd import rpc_pb2, rpc_pb2_grpc

from eata_node.engine.endpoints import Doors, Endpoint

_ROOMY = 0.9
log = structlog.get_logger()


def alarmed(status: rpc_pb2.StatusResponse) -> bool:
    """Some member has reached its quota, and all refuse every write; each member's status says so."""
    return any("NOSPACE" in error for error in status.errors)


async def make_room(doors: Doors, quota: int) -> None:
    """Defragments one member after the other, where that frees something; then the alarm is lifted, if none is full.

    `quota`: bytes. Who does not answer is neither asked nor counted.
    """
    brim, sizes, alarm = _ROOMY * quota, dict.fromkeys(doors.order, 0), False
    for door in doors.order[::-1]:  # who leads comes last: it answers nothing meanwhile
        try:
            status = await door.status()
            sizes[door], alarm = status.dbSize, alarm or alarmed(status)
            if _frees(status, brim):
                stub = rpc_pb2_grpc.MaintenanceStub(door.calls)
                await stub.Defragment(rpc_pb2.DefragmentRequest(), timeout=60)
                sizes[door] = (await door.status()).dbSize
        except grpc.aio.AioRpcError as error:
            log.warning("a member was not defragmented", endpoint=door.endpoint, code=error.code().name)
    if alarm and max(sizes.values()) < brim:
        await _lift_alarms(doors.order[0])


def _frees(status: rpc_pb2.StatusResponse, brim: float) -> bool:
    """Whether defragmenting does: half of the file is free, or it comes below the brim.

    What is in use is counted at a write; under the alarm there is none, so then it is tried.
    """
    tight = status.dbSize >= brim and (alarmed(status) or status.dbSizeInUse < brim)
    return status.dbSizeInUse < status.dbSize // 2 or tight


async def _lift_alarms(door: Endpoint) -> None:
    """Each full member's, by its number: without one etcd answers, and lifts nothing.

    None beside an alarm of another kind: with any that is lifted, etcd no longer refuses what the others forbid.
    """
    stub, kind = rpc_pb2_grpc.MaintenanceStub(door.calls), rpc_pb2.AlarmRequest
    try:
        alarms = (await stub.Alarm(kind(action=kind.GET), timeout=1)).alarms
        if any(one.alarm != rpc_pb2.NOSPACE for one in alarms):
            log.error("a member has raised another alarm: see etcd's own log", alarms=len(alarms))
            return
        for one in alarms:
            lift = kind(action=kind.DEACTIVATE, memberID=one.memberID, alarm=one.alarm)
            await stub.Alarm(lift, timeout=1)
            log.info("alarm lifted", member=f"{one.memberID:x}")
    except grpc.aio.AioRpcError as error:
        log.warning("no alarm was lifted", code=error.code().name)
