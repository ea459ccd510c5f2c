"""Switches each refusal code of the rules off in turn, and lists those that no test notices.

./scripts/mutate-rules              all codes, some minutes
./scripts/mutate-rules --sample 6   six of them, by a printed seed (EATA_SEED plays one again)
./scripts/mutate-rules CODE …       just these
"""

import ast
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutation import code_of

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "ledger" / "eata_ledger"
TESTS = [
    "test_apply",
    "test_commit_rules",
    "test_decisions",
    "test_issuer_rules",
    "test_keeping",
    "test_notices",
    "test_reference",
    "test_revocation",
    "test_root",
]
FILES = [str(ROOT / "tests" / "unit" / f"{name}.py") for name in TESTS]


def codes() -> list[str]:
    """Every code the rules raise."""
    sources = [*sorted((RULES / "rules").glob("*.py")), RULES / "apply.py", RULES / "carnet" / "blocks.py"]
    found = (code_of(node) for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return sorted({code for code in found if code})


def noticed(code: str) -> bool:
    """True if some test fails without this refusal."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.mutation", "-p", "no:cacheprovider", *FILES],
        cwd=ROOT, env={**os.environ, "EATA_MUTATE": code, "EATA_SEED": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1, 2):
        raise SystemExit(f"{code}: the tests did not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode != 0


def main() -> int:
    wanted = [argument for argument in sys.argv[1:] if argument in codes()] or codes()
    if "--sample" in sys.argv:
        seed = int(os.environ.get("EATA_SEED") or int.from_bytes(os.urandom(4), "big"))
        wanted = random.Random(seed).sample(wanted, int(sys.argv[sys.argv.index("--sample") + 1]))
        print(f"EATA_SEED={seed}", file=sys.stderr)
    if noticed("NOTHING"):
        raise SystemExit("the tests fail as they are")
    unseen = []
    with ThreadPoolExecutor(2) as pool:
        for code, seen in zip(wanted, pool.map(noticed, wanted), strict=True):
            print(f"{'noticed' if seen else 'UNSEEN':<8} {code}", flush=True)
            unseen += [] if seen else [code]
    print(f"{len(wanted)} codes, {len(unseen)} unseen", file=sys.stderr)
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
