"""Handing an orphaned entry in again: the author's own bytes, through whichever proxy answers."""

import time
from pathlib import Path
from typing import Any

import grpc
from eata_ledger.log.entry import Entry
from eata_ledger.outcomes import Outcome
from eata_ledger.wire import entry_to_proto
from eata_proto import errors
from eata_proto.v1 import ledger_pb2, ledger_pb2_grpc

from eata_node.ground.config import ClusterFile
from eata_node.rpc.tls import CHANNEL_OPTIONS

_PATIENCE, _PAUSE = 30.0, 0.2  # seconds
_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}


def resubmit(home: Path, entry: Entry) -> dict[str, Any]:
    """{"outcome", "now": its new index}, or {"outcome": the code of the refusal}.

    The rules' refusal is the answer; only where a proxy is away or busy is the next one asked, for half a minute.
    """
    credentials = grpc.ssl_channel_credentials((home / "tls" / "ca.pem").read_bytes())
    request = ledger_pb2.SubmitRequest(entry=entry_to_proto(entry))
    deadline, why = time.monotonic() + _PATIENCE, ""
    while time.monotonic() < deadline:
        for member in ClusterFile.read(home).nodes:
            with grpc.secure_channel(member.public, credentials, options=CHANNEL_OPTIONS) as channel:
                try:
                    reply = ledger_pb2_grpc.LedgerStub(channel).Submit(request, timeout=10)
                except grpc.RpcError as error:
                    coded = errors.from_rpc(error)
                    why = error.code().name if coded is None else coded.code
                    if error.code() not in _PASSING:
                        return {"outcome": why}
                    continue
            return {"outcome": Outcome(reply.outcome).name, "now": reply.index}
        time.sleep(_PAUSE)
    return {"outcome": why}
