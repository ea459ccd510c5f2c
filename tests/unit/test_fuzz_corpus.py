"""The fuzzers' seeds and what once broke a parser, played again; a bug on purpose is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, run, seeds

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"


@pytest.mark.parametrize("target", TARGETS)
def test_no_known_input_gets_anything_but_an_answer_or_a_refusal(target: str) -> None:
    known = [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]
    for data in [b"", b"\0", b"\xff" * 64, *seeds(target), *known]:
        run(TARGETS[target], data)
        for cut in (1, len(data) // 2):
            run(TARGETS[target], data[:-cut])


def test_a_planted_bug_is_found() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.fuzz", "--seconds", "30", "planted"], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2], env=os.environ,
    )  # fmt: skip
    assert (done.returncode, "BROKEN by 4541" in done.stdout) == (1, True)
