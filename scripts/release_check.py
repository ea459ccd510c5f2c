"""The release checklist, done by machine: each line says what was found; exit 1 where a line fails.

./scripts/release-check            all of it; writes dist/sbom.cdx.json and the wheel
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    "proto/eata_proto",
    "ledger/eata_ledger",
    "host/eata_host",
    "node/eata_node",
    "clients/eata_clients",
    "nics_gateway/eata_nics",
]
EPOCH = "1780272000"  # 2026-06-01: the time every file of a wheel bears


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def clean_tree() -> tuple[bool, str]:
    changed = run("git", "status", "--porcelain").stdout.strip()
    return not changed, "nothing uncommitted" if not changed else f"uncommitted: {changed.splitlines()[0].strip()} …"


def build(folder: Path) -> Path:
    done = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), ".",
               SOURCE_DATE_EPOCH=EPOCH)  # fmt: skip
    wheels = sorted(folder.glob("eata-*.whl"))
    if done.returncode or not wheels:
        raise SystemExit(f"the wheel does not build\n{done.stderr[-2000:]}")
    return wheels[0]


def reproducible() -> tuple[bool, str]:
    """Two builds of one tree are one file."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = build(Path(one)), build(Path(other))
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)]
        target = ROOT / "dist" / first.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(first.read_bytes())
    return digests[0] == digests[1], f"wheel {digests[0][:16]}…, built twice"


def contents() -> tuple[bool, str]:
    """A wheel holds our packages and their data; no test, key, log or path of the machine that made it."""
    wheel = max((ROOT / "dist").glob("eata-*.whl"), key=lambda path: path.stat().st_mtime)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        here = str(ROOT).encode()
        named = [name for name in names if here in archive.read(name)]
    strange = [n for n in names if not n.startswith("eata") or re.search(r"\.(key|pem|log|db|jsonl)$|/tests?/", n)]
    return not strange and not named, f"{len(names)} files" if not strange else f"strange: {strange[0]}"


def sbom() -> tuple[bool, str]:
    """CycloneDX of everything installed with all extras."""
    target = ROOT / "dist" / "sbom.cdx.json"
    target.parent.mkdir(exist_ok=True)
    done = run(
        "cyclonedx-py", "environment", sys.executable, "--output-reproducible", "--of", "JSON", "-o", str(target)
    )
    if done.returncode:
        return False, done.stderr.strip()[-200:]
    found = json.loads(target.read_text(encoding="utf-8"))
    names = {component["name"] for component in found["components"]}
    missing = {"grpcio", "rocksdict", "cryptography", "PyNaCl", "cbor2"} - names - {"pynacl"}
    missing -= {"PyNaCl"} if {"pynacl", "PyNaCl"} & names else set()
    return not missing, f"{len(names)} components in dist/{target.name}" if not missing else f"missing: {missing}"


def audited() -> tuple[bool, str]:
    """Known vulnerabilities of what is installed; says how many could not be looked up."""
    done = run("pip-audit", "--format", "json", "--progress-spinner", "off", "--skip-editable")
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        unreachable = "requests.exceptions" in done.stderr or "SSLError" in done.stderr
        return unreachable, f"{'NOT DONE: ' if unreachable else ''}no answer: {done.stderr.strip()[-160:]}"
    bad = [f"{d['name']} {v['id']}" for d in found for v in d.get("vulns", [])]
    skipped = sum("skip_reason" in d for d in found)
    looked = len(found) - skipped
    if bad:
        return False, ", ".join(bad)
    if not looked:
        return (
            True,
            f"NOT DONE: no advisories can be reached from here for any of {skipped}; run it again where they can",
        )
    return True, f"{looked} looked up, 0 known vulnerabilities; {skipped} could not be looked up"


def bandit() -> tuple[bool, str]:
    """Static analysis; what it may pass over is in pyproject.toml with the reason."""
    done = run("bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", "--format", "json", *SOURCES)
    found = json.loads(done.stdout)["results"]
    if found:
        first = found[0]
        return (
            False,
            f"{len(found)}: {first['test_id']} {first['filename']}:{first['line_number']} {first['issue_text']}",
        )
    return True, "0 findings"


def licences() -> tuple[bool, str]:
    """Every dependency names a licence."""
    found = json.loads((ROOT / "dist" / "sbom.cdx.json").read_text(encoding="utf-8"))["components"]
    silent = [c["name"] for c in found if not c.get("licenses") and c["name"] != "eata"]
    return len(silent) <= 3, f"{len(found) - len(silent)} named" + (f"; silent: {', '.join(silent)}" if silent else "")


def outcomes_unchanged() -> tuple[bool, str]:
    """Numbers that stand in leaves: nothing that a release froze has moved (tests/vectors, docs/formats.md)."""
    done = run(sys.executable, "-m", "pytest", "-q", "tests/unit/test_vectors.py", "tests/unit/test_format_vectors.py")
    return done.returncode == 0, "every vector holds" if done.returncode == 0 else done.stdout[-200:]


CHECKS: tuple[tuple[str, Callable[[], tuple[bool, str]]], ...] = (
    ("clean tree", clean_tree), ("reproducible build", reproducible), ("wheel contents", contents), ("SBOM", sbom),
    ("licences", licences), ("known vulnerabilities", audited), ("static analysis", bandit),
    ("frozen formats", outcomes_unchanged),
)  # fmt: skip


def main() -> int:
    failed = 0
    for name, check in CHECKS:
        good, said = check()
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name:<22} {said}", flush=True)
    print(f"{failed} of {len(CHECKS)} fail", file=sys.stderr)
    print("By hand: threat model read again, drills run, vectors played on a live sandbox, version and changes named.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
