"""A real Prometheus with the shipped configuration sees six proxies; the dashboard asks for what exists."""

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from eata_node.ground.config import free_ports
from eata_node.ground.metrics import Metrics
from eata_node.operator.cluster import running
from eata_node.operator.commands import write_network

from scripts.debian import fetched
from tests.mesh import prepare

ROOT = Path(__file__).parents[2]


@contextmanager
def prometheus(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The shipped configuration beside the cluster's targets; yields the query address and the process."""
    binary = fetched("prometheus") / "usr" / "bin" / "prometheus"
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(ROOT / "deploy" / name, home / name)
    [port] = free_ports(1)
    with (home / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [binary, f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}/api/v1", process
    finally:
        process.terminate()
        process.wait()


def ask(address: str, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"{address}/{path}", timeout=5) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


@pytest.mark.rule("CORE-02")
@pytest.mark.rule("CORE-13")
def test_a_real_prometheus_scrapes_six_proxies(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prepare(home)
    with running(home):
        write_network(home)
        with prometheus(home) as (address, process):
            found = None
            for _ in range(120):
                found = ask(address, "query?query=" + quote('up{job="eata"} == 1'))
                if found and len(found["result"]) == 6:
                    break
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
                    raise AssertionError((home / "prometheus.log").read_text())
            assert found is not None
            assert len({row["metric"]["node"] for row in found["result"]}) == 6
            rules = ask(address, "rules")
            assert [rule["health"] for group in rules["groups"] for rule in group["rules"]].count("err") == 0


def test_dashboard_and_alerts_use_only_metrics_that_exist() -> None:
    known = {family.name for family in Metrics().registry.collect()}
    text = (ROOT / "deploy" / "dashboard.json").read_text() + (ROOT / "deploy" / "alerts.yml").read_text()
    used = {re.sub(r"_(total|bucket)$", "", name) for name in re.findall(r"\beata_[a-z_]+", text)}
    assert used <= known, used - known
    assert len(used) >= 10
