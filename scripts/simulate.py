"""Six nodes, their engine and their clients under one seeded scheduler: every promise is checked at every step.

./scripts/simulate --seeds 10000        10,000 runs, on all cores
./scripts/simulate --seed 4711          one run again, with what was struck
./scripts/simulate --planted            the mistakes planted on purpose: a seed that finds each
"""

import argparse
import gc
import json
import logging
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from nacl import bindings
from rich.console import Console
from rich.progress import Progress

from tests.simulation.planted import PLANTED
from tests.simulation.run import Report, simulate

_LOOKED_AT = 200  # seeds tried for a planted mistake


def reports(first: int, count: int) -> Iterator[Report]:
    """In any order, on all cores."""
    with multiprocessing.get_context("spawn").Pool(initializer=_many_in_a_row) as pool:
        yield from pool.imap_unordered(_one_of_many, range(first, first + count), chunksize=4)


def _quiet() -> None:
    logging.disable(logging.CRITICAL)


def _many_in_a_row() -> None:
    """Six nodes in one process verify the same signatures, and a run's garbage goes with the run: a quarter less time."""
    _quiet()
    gc.disable()
    bindings.crypto_sign_open = lru_cache(maxsize=16_384)(bindings.crypto_sign_open)


def _one_of_many(seed: int) -> Report:
    report = simulate(seed)
    gc.collect()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="just this one")
    parser.add_argument("--planted", action="store_true", help="look for a seed that finds each planted mistake")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    given = parser.parse_args()
    _quiet()
    if given.planted:
        return _plant(given.json)
    if given.seed is not None:
        return _one(simulate(given.seed), given.json)
    return _many(given.first, given.seeds, given.json)


def _plant(as_json: bool) -> int:
    found = {planted.name: planted.found(0, _LOOKED_AT) for planted in PLANTED}
    lines = (f"{name:28} {'NOT FOUND' if seed is None else f'seed {seed}'}" for name, seed in found.items())
    print(json.dumps(found, indent=2) if as_json else "\n".join(lines))
    return int(None in found.values())


def _one(report: Report, as_json: bool) -> int:
    data = {
        "seed": report.seed, "violation": report.violation, "simulated_s": round(report.seconds, 1),
        "seen": dict(report.seen), "struck": dict(report.struck), "trace": report.trace,
    }  # fmt: skip
    print(json.dumps(data, indent=2) if as_json else "\n".join(f"{name:12} {value}" for name, value in data.items()))
    return int(bool(report.violation))


def _many(first: int, count: int, as_json: bool) -> int:
    """Ctrl-C ends it with what has been played so far, which is not what was asked for."""
    seen, struck, bad, seconds, played = Counter[str](), Counter[str](), list[Report](), 0.0, 0
    with suppress(KeyboardInterrupt), Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=count)
        for report in reports(first, count):
            seen += report.seen
            struck += report.struck
            seconds, played = seconds + report.seconds, played + 1
            if report.violation:
                bad.append(report)
                bar.console.print(f"seed {report.seed}: {report.violation}", markup=False)
            bar.advance(task)
    data = {
        "seeds": played, "violations": len(bad), "failing_seeds": sorted(report.seed for report in bad),
        "simulated_s": round(seconds), "seen": dict(seen), "struck": dict(struck.most_common()),
    }  # fmt: skip
    if as_json:
        print(json.dumps(data, indent=2))
    else:
        print(
            f"{seconds / 3600:.1f} simulated hours, {seen['acknowledged']:,} acknowledged, {seen['steps']:,} steps checked"
        )
        print("struck: " + ", ".join(f"{kind} {n:,}" for kind, n in struck.most_common()))
        print(f"{played:,} seeds, {len(bad)} violations")
    return int(bool(bad) or played < count)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the same order of sets in every run of a seed
        os.execve(
            sys.executable,
            [sys.executable, "-m", "scripts.simulate", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
