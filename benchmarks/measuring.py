"""How calls are measured: closed and open loops, HDR histograms, CPU time by process, the machine's facts."""

import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hdrh.histogram import HdrHistogram

Call = Callable[[int], Awaitable[object]]
_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST = 60_000_000  # µs


@dataclass(frozen=True)
class Figure:
    """One measurement: calls a second, latencies in ms, CPU in ms a call by process ("load" is the measuring one)."""

    what: str
    load: str
    calls: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_ms: dict[str, float]

    @property
    def line(self) -> str:
        return (
            f"{self.what:28} {self.load:>12} {self.per_second:9.1f}/s  p50 {self.p50_ms:8.2f}  p95 {self.p95_ms:8.2f}  "
            f"p99 {self.p99_ms:8.2f} ms  CPU {sum(self.cpu_ms.values()):6.2f} ms"
        )


class Recorder:
    """Latencies of one measurement, and what it cost."""

    def __init__(self, what: str, load: str, pids: Mapping[str, int]) -> None:
        self.what, self.load, self._pids = what, load, dict(pids)
        self._histogram = HdrHistogram(1, _LONGEST, 3)
        self._before, self._started = self._cpu(), time.perf_counter()

    def add(self, seconds: float, each: int = 1) -> None:
        self._histogram.record_value(min(_LONGEST, max(1, round(seconds * 1e6))), each)

    def figure(self) -> Figure:
        took, spent = time.perf_counter() - self._started, self._cpu()
        calls = self._histogram.get_total_count()
        p50, p95, p99, most = (self._histogram.get_value_at_percentile(p) / 1000 for p in (50, 95, 99, 100))
        cpu = {name: round((spent[name] - self._before[name]) / calls * 1000, 3) for name in spent}
        return Figure(self.what, self.load, calls, round(calls / took, 1), p50, p95, p99, most, cpu)

    def _cpu(self) -> dict[str, float]:
        return {"load": time.process_time(), **{name: cpu_seconds(pid) for name, pid in self._pids.items()}}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    """Resident memory of a process now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


async def closed(
    what: str, call: Call, at_once: int, count: int, pids: Mapping[str, int], each: int = 1
) -> Figure:  # fmt: skip
    """`at_once` clients, each with one call under way, `count` calls in all; `each` counts for so many."""
    load = f"{at_once} at once" if each == 1 else f"{at_once} × {each}"
    recorder, left = Recorder(what, load, pids), iter(range(count))

    async def client() -> None:
        for number in left:
            started = time.perf_counter()
            await call(number)
            recorder.add(time.perf_counter() - started, each)

    await asyncio.gather(*(client() for _ in range(at_once)))
    return recorder.figure()


class Twice(NamedTuple):
    """One measurement of commits: until one node has answered, and until more than half have signed."""

    ordered: Figure
    final: Figure


async def twice(
    what: str, call: Callable[[int, Callable[[object], None]], Awaitable[object]], at_once: int, count: int,
    pids: Mapping[str, int],
) -> Twice:  # fmt: skip
    """As `closed`, of final commits; `call` tells its second argument when the commit is ordered, and returns when it is final."""
    ordered = Recorder(f"{what}, ordered", f"{at_once} at once", {})

    async def told(number: int) -> None:
        started = time.perf_counter()
        await call(number, lambda _: ordered.add(time.perf_counter() - started))

    final = await closed(what, told, at_once, count, pids)
    return Twice(ordered.figure(), final)


async def open_loop(what: str, call: Call, rate: float, count: int, pids: Mapping[str, int]) -> Figure:
    """`rate` calls a second whether or not earlier ones were answered; late starts count as latency."""
    return await at_times(what, call, [number / rate for number in range(count)], f"{rate:g}/s", pids)


async def at_times(what: str, call: Call, due: list[float], load: str, pids: Mapping[str, int]) -> Figure:
    """A call at each of these times (seconds from now, ascending), measured from when it was due."""
    recorder, begun = Recorder(what, load, pids), time.perf_counter()

    async def one(number: int) -> None:
        await call(number)
        recorder.add(time.perf_counter() - begun - due[number])

    async with asyncio.TaskGroup() as tasks:
        for number, at in enumerate(due):
            wait = begun + at - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.create_task(one(number))
    return recorder.figure()


def machine() -> dict[str, Any]:
    """What the figures were taken on; figures of two machines do not compare, ratios do."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    return {
        "cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip
