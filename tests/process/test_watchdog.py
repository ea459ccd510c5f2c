"""A process that hears nothing any more starts itself anew, and only then (docs/faults.md)."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from eata_node.operator.cluster import Cluster

_PROGRAM = """
import asyncio, os, time, grpc.aio
from eata_node.process.watchdog import Watchdog, start_anew

def again():
    os.environ["HEARS"] = "answers"
    start_anew()

async def main():
    asked, heard = 0, asyncio.Event()
    async def ask():
        nonlocal asked
        asked += 1
        if asked == 15:
            heard.set()
        if os.environ["HEARS"] == "refusals":
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
        if os.environ["HEARS"] in ("nothing", "nothing at its end"):
            await asyncio.Event().wait()
    print(os.getpid(), flush=True)
    watchdog = Watchdog(ask, anew=again, silent=1, every=0.2)
    if os.environ["HEARS"] == "nothing at its end":
        watchdog.told_to_end()
    if os.environ["HEARS"] == "busy":
        time.sleep(4)
    await heard.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("hears", "lives", "code"),
    [("answers", 1, 0), ("refusals", 1, 0), ("busy", 1, 0), ("nothing", 2, 0), ("nothing at its end", 1, 6)],
)
def test_a_deaf_process_begins_again_with_the_same_pid(hears: str, lives: int, code: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env={**os.environ, "HEARS": hears}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert ran.returncode == code
    pids = [line for line in ran.stdout.splitlines() if line.isdigit()]
    assert len(pids) == lives
    assert len(set(pids)) == 1


def _hears(cluster: Cluster) -> bool:
    try:
        cluster.status("mumbai")
    except grpc.RpcError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes it deaf")
def test_a_deaf_proxy_comes_back_by_itself(cluster: Cluster) -> None:
    """Wake-ups of the event loop are lost for a moment, from every thread: this node hears no call from then on."""
    before, pid = cluster.wait("mumbai"), cluster.processes["mumbai"].pid
    threads = [thread.name for thread in Path(f"/proc/{pid}/task").iterdir() if thread.name != str(pid)]
    injected = ["-e", "trace=write", "-e", "inject=write:error=EAGAIN:when=1+", "-o", os.devnull]
    strace = subprocess.Popen(
        ["strace", "-q", *injected, *(f"-p{thread}" for thread in threads)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while _hears(cluster):
        assert time.monotonic() < deadline
    strace.terminate()
    strace.wait()
    assert not _hears(cluster), "nothing that it could mend without starting anew"
    after = cluster.wait("mumbai", before.position, patience=90)
    assert cluster.processes["mumbai"].poll() is None
    assert after.incarnation > before.incarnation
