"""Every rule id of the domain: its line in docs/rules.md, its tests. Fails on a done id without one.

./scripts/coverage-of-domain          the table
./scripts/coverage-of-domain --json   {"id": {"state", "tests"}}
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STATES = ("done", "later", "outside")


def numbered(prefix: str, *spans: tuple[int, int]) -> list[str]:
    return [f"{prefix}-{n:02}" for low, high in spans for n in range(low, high + 1)]


# The ids of the domain page (sections 1.1 to 1.8, 1.11, 1.12, 2.6, and its list of ideas U).
IDS = [
    *numbered("OBJ", (1, 7)), *numbered("CORE", (1, 13)), *numbered("PRX", (1, 6)), *numbered("NICS", (1, 12)),
    *numbered("APP", (1, 27)), *numbered("ACC", (1, 10), (20, 34), (40, 46), (50, 57), (60, 72)), "ACC-REPL",
    *numbered("ID", (1, 9)), *numbered("GTP", (1, 16)), *numbered("SUP", (1, 4)), *numbered("N", (1, 13)),
    *numbered("C", (1, 28)), *(f"U{n}" for n in range(1, 17)), *(f"D{n}" for n in range(1, 11)),
    "883", "884", "885", "886",
]  # fmt: skip


class Collector:
    """Test ids by rule id."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for marker in item.iter_markers("rule"):
                name = item.nodeid.split("[")[0]
                if name not in self.tests[marker.args[0]]:
                    self.tests[marker.args[0]].append(name)


def states() -> dict[str, str]:
    """Id → state, from the table in docs/rules.md."""
    found = {}
    for line in (ROOT / "docs" / "rules.md").read_text(encoding="utf-8").splitlines():
        match = re.fullmatch(r"\| ([A-Z0-9-]+) \| .+ \| (\w+)(?::.*)? \|", line)
        if match:
            found[match[1]] = match[2]
    return found


def main() -> int:
    collector = Collector()
    code = pytest.main(["--collect-only", "-q", "-q", "--no-header", str(ROOT / "tests")], plugins=[collector])
    if code:
        return 1
    known = states()
    wrong = [f"{i}: no line in docs/rules.md" for i in IDS if i not in known]
    wrong += [f"{i}: {known[i]} is no state" for i in known if known[i] not in STATES]
    wrong += [f"{i}: done, and no test cites it" for i in IDS if known.get(i) == "done" and not collector.tests[i]]
    wrong += [f"{i}: a test cites it, and it is no id" for i in collector.tests if i not in IDS]
    wrong += [f"{i}: tested, and not done" for i in IDS if known.get(i) == "later" and collector.tests[i]]
    if "--json" in sys.argv:
        table = {i: {"state": known.get(i), "tests": collector.tests[i]} for i in IDS}
        print(json.dumps({"ids": table, "wrong": wrong}, indent=1))
    else:
        for i in IDS:
            print(f"{i:<9} {known.get(i, '?'):<8} {', '.join(t.split('::')[-1] for t in collector.tests[i])}")
    print(f"{sum(s == 'done' for s in known.values())} done, {len(IDS)} in all, {len(wrong)} wrong", file=sys.stderr)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
