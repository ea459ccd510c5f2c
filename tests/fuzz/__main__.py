"""`python -m tests.fuzz TARGET CORPUS [libFuzzer options]`: one target under atheris, until its time is over."""

import sys

import atheris

with atheris.instrument_imports(include=["eata_ledger"]):
    from tests.fuzz.targets import PLANTED, TARGETS, run

target = {**TARGETS, **PLANTED}[sys.argv[1]]
atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: run(target, data))
atheris.Fuzz()
