"""Fuzzes every parser of outside bytes with atheris, and prints executions and corpus size.

./scripts/fuzz --seconds 600           each of them for ten minutes
./scripts/fuzz --seconds 30 card note  just these
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import PLANTED, TARGETS, seeds

CORPUS = Path(__file__).resolve().parents[1] / "tests" / "fuzz" / "corpus"


def fuzz(target: str, seconds: int, keep: bool) -> tuple[int, int, bytes | None]:
    """(executions, corpus size, an input that breaks it or None)."""
    with tempfile.TemporaryDirectory() as work:
        corpus, found = Path(work) / "corpus", Path(work) / "found"
        corpus.mkdir()
        found.mkdir()
        known = [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
        for n, data in enumerate([*seeds(target), *known]):
            (corpus / f"seed-{n}").write_bytes(data)
        options = [f"-max_total_time={seconds}", "-max_len=8192", f"-artifact_prefix={found}/", "-print_final_stats=1",
                   "-rss_limit_mb=1024", "-timeout=10"]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", target, str(corpus), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        match = re.search(r"number_of_executed_units:\s+(\d+)", done.stderr) or re.search(
            r"Done (\d+) runs", done.stderr
        )
        broken = next((path.read_bytes() for path in sorted(found.iterdir())), None)
        if match is None and broken is None:
            raise SystemExit(f"{target}: the fuzzer did not run\n{done.stderr[-2000:]}")
        if broken is not None:
            print(done.stderr[-3000:], file=sys.stderr)
            if keep:
                (CORPUS / target).mkdir(parents=True, exist_ok=True)
                (CORPUS / target / f"broke-{len(known)}").write_bytes(broken)
        return int(match[1]) if match else 0, sum(1 for _ in corpus.iterdir()), broken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("targets", nargs="*", help="all if left out")
    given = parser.parse_args()
    unknown = set(given.targets) - {*TARGETS, *PLANTED}
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    broken = []
    print(f"{'target':<16} {'executions':>12} {'corpus':>8}")
    for target in given.targets or TARGETS:
        runs, corpus, found = fuzz(target, given.seconds, target in TARGETS)
        print(
            f"{target:<16} {runs:>12,} {corpus:>8,}{'' if found is None else '  BROKEN by ' + found.hex()[:80]}",
            flush=True,
        )
        broken += [] if found is None else [target]
    print(f"{len(broken)} broken", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
