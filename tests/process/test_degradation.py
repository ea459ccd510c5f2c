"""Each trouble has its behaviour: what fails says so, the others go on, and what can come back comes back by itself."""

import asyncio
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from eata_clients.net.errors import EataError
from eata_clients.net.submitting import submit
from eata_clients.net.transport import now
from eata_clients.opened.lists import Lists, openers
from eata_clients.trust.registry_pages import fetch
from eata_ledger.carnet.dates import DAY
from eata_ledger.carnet.vocabulary import Flag
from eata_ledger.state import Family, Transaction
from eata_node.operator.cluster import Cluster
from eata_node.process import processes
from eata_node.process.server import Proxy, Setup
from eata_node.rpc.tls import Authority
from eata_node.writing.proposer import wall_clock

from scripts.fault_kinds import fill, small_disk
from tests.load import Load, build, committed
from tests.mesh import Mesh, People, metric, prepare, seeded
from tests.process.test_faults import settle

SMALL = "tokyo"
CENTURY = 73 * 365 * DAY  # ms: from 2026 to 2099


@pytest.fixture
def small(home: Path) -> Iterator[Cluster]:
    """The same with one proxy on a disk of 64 MB of its own."""
    with small_disk(home / "nodes" / SMALL, 64 << 20) as mounted:
        if not mounted:
            pytest.skip("this user may not mount a small disk")
        prepare(home)
        with seeded(home) as cluster:
            yield cluster


class FailingDisk:
    """An ext4 disk in a file, mounted at a node's folder, that the kernel makes read-only under its writers."""

    def __init__(self, image: Path, at: Path) -> None:
        self.image, self.at, self.mounts = image, at, 0
        with image.open("wb") as file:
            file.truncate(96 << 20)

    def made(self) -> bool:
        """Formatted and mounted; False where this user or this kernel cannot."""
        self.at.mkdir(parents=True, exist_ok=True)
        return self._ran("mkfs.ext4", "-q", "-F", str(self.image)) and self._mount()

    def fail(self) -> None:
        """As after a bad sector: ext4 stops all writing at once, whatever is open."""
        source = next(
            line.split()[0] for line in Path("/proc/mounts").read_text().split("\n") if f" {self.at} " in line
        )
        Path(f"/sys/fs/ext4/{Path(source).name}/trigger_fs_error").write_text("planted by a test")

    def replaced(self) -> None:
        """What can be read of it, checked, on another disk in its place."""
        other = self.image.with_suffix(".other")
        shutil.copyfile(self.image, other)
        subprocess.run(["e2fsck", "-p", str(other)], capture_output=True, check=False)  # 1: mended
        self.unmount()
        self.image = other
        assert self._mount()

    def unmount(self) -> None:
        for _ in range(self.mounts):
            subprocess.run(["umount", "-l", str(self.at)], capture_output=True, check=False)
        self.mounts = 0

    def _mount(self) -> bool:
        done = self._ran("mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.at))
        self.mounts += done
        return done

    def _ran(self, *command: str) -> bool:
        return (
            shutil.which(command[0]) is not None
            and not subprocess.run(command, capture_output=True, check=False).returncode
        )


@pytest.fixture
def failing(home: Path, tmp_path: Path) -> Iterator[tuple[Cluster, FailingDisk]]:
    """The same with one proxy on a disk that can become read-only."""
    disk = FailingDisk(tmp_path / "disk", home / "nodes" / SMALL)
    try:
        if not disk.made():
            pytest.skip("this user may not mount a disk from a file")
        prepare(home)
        with seeded(home) as cluster:
            yield cluster, disk
    finally:
        disk.unmount()


def one_root(cluster: Cluster) -> None:
    settle(cluster)
    assert len({cluster.status(name).root for name in cluster.names}) == 1


def follows(cluster: Cluster, name: str) -> bool:
    try:
        return cluster.status(name).state == "FOLLOWING"
    except grpc.RpcError:
        return False


def follows_again(cluster: Cluster, name: str) -> None:
    """Once it has halted, until it does not any more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if follows(cluster, name):
            return
        time.sleep(0.05)
    told = (cluster.home / "nodes" / name / "log.jsonl").read_text()[-1500:]
    raise AssertionError(f"{name} stays halted: {told}")


async def halted(cluster: Cluster, name: str) -> str:
    """What it says once it has halted."""
    async with asyncio.timeout(60):
        while True:
            status = await asyncio.to_thread(cluster.wait, name)
            if status.state == "HALTED":
                return status.evidence
            await asyncio.sleep(0.05)


def test_a_full_disk_halts_its_node_until_there_is_room(small: Cluster) -> None:
    """Nobody starts it again: it tries, and goes on; five serve meanwhile."""
    people, folder = People(small.home), small.home / "nodes" / SMALL
    pid = small.processes[SMALL].pid
    fill(folder / "ballast")
    load = committed(people, 300)
    assert len(load.acknowledged) == 300
    assert not follows(small, SMALL)
    assert alarmed(small, SMALL)
    (folder / "ballast").unlink()
    follows_again(small, SMALL)
    one_root(small)
    assert not alarmed(small, SMALL)
    assert small.processes[SMALL].pid == pid


def test_a_disk_turned_read_only_halts_its_node_until_it_is_replaced(failing: tuple[Cluster, FailingDisk]) -> None:
    """Not taken for damage: nothing is set aside, nothing is built anew, and what is signed again never contradicts."""
    cluster, disk = failing
    people, pid = People(cluster.home), cluster.processes[SMALL].pid
    committed(people, 60)
    disk.fail()
    load = committed(people, 60)
    assert len(load.acknowledged) == 60
    assert not follows(cluster, SMALL)
    disk.replaced()
    follows_again(cluster, SMALL)
    one_root(cluster)
    assert cluster.processes[SMALL].pid == pid
    assert not (disk.at / "damaged").exists()


def test_a_flipped_store_is_set_aside_and_built_anew(cluster: Cluster, seeded: random.Random) -> None:
    """A bit in every file of it: nothing wrong is served, and no command is given."""
    committed(People(cluster.home), 60)
    settle(cluster)
    cluster.stop(SMALL)
    store = cluster.home / "nodes" / SMALL / "store"
    for path in store.glob("*.sst"):
        data = bytearray(path.read_bytes())
        data[seeded.randrange(len(data) // 2)] ^= 1
        path.write_bytes(data)
    cluster.start(SMALL)
    one_root(cluster)
    assert (store.parent / "damaged").exists()


def test_all_but_one_proxy_are_dead(cluster: Cluster) -> None:
    """The last one takes commits alone; the five follow when they are back."""
    people = People(cluster.home)
    load = asyncio.run(build(people, 40))
    for name in cluster.names:
        if name != SMALL:
            cluster.kill(name)
    asyncio.run(load.run(people, 4))
    assert len(load.acknowledged) == 40
    for name in cluster.names:
        if name != SMALL:
            cluster.start(name)
    one_root(cluster)


def test_an_engine_put_back_from_an_old_copy_is_noticed(cluster: Cluster, tmp_path: Path) -> None:
    """It has forgotten what it acknowledged. Every replica knows better, halts with evidence, and serves nothing from it."""
    people, core = People(cluster.home), cluster.home / "core"
    cluster.stop("core")
    shutil.copytree(core, tmp_path / "old")
    cluster.start("core")
    load = committed(people, 40)
    settle(cluster)
    cluster.stop("core")
    shutil.rmtree(core)
    shutil.copytree(tmp_path / "old", core)
    cluster.start("core")
    for name in cluster.names:
        assert "the engine's" in asyncio.run(halted(cluster, name))
    not_served(people, load)


def not_served(people: People, load: Load) -> None:
    """Not even what was acknowledged is answered for."""

    async def resend() -> None:
        async with people.transport() as transport:
            with pytest.raises(EataError):
                await submit(transport, load.registry.charter, load.entries[0])

    asyncio.run(resend())


def test_an_expired_certificate_shuts_out_its_node_alone(cluster: Cluster) -> None:
    people, folder = People(cluster.home), cluster.home / "nodes" / SMALL
    kept = {name: (folder / name).read_bytes() for name in ("tls.key", "tls.pem")}
    cluster.stop(SMALL)
    Authority(cluster.home / "tls").admit(f"node:{SMALL}", folder, timedelta(minutes=-30))
    cluster.start(SMALL)
    assert len(committed(people, 30).acknowledged) == 30
    with pytest.raises(TimeoutError):
        cluster.wait(SMALL, patience=2)
    cluster.stop(SMALL)
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    cluster.start(SMALL)
    one_root(cluster)


def alarmed(cluster: Cluster, name: str) -> bool:
    """EataHalted; or EataProxyDown, where it cannot even open its store."""
    try:
        return metric(cluster, name, "eata_halted") == 1
    except OSError:
        return True


def gauge(proxy: Proxy, name: str) -> float:
    found = proxy.node.metrics.registry.get_sample_value(name)
    assert found is not None
    return found


def flags_of(proxy: Proxy, index: int) -> Flag:
    """Of the commit at a ledger index."""
    rows = [Transaction.from_own(value) for _, value in proxy.node.store.facts(int(Family.TRANSACTION), b"")]
    return next(row.flags for row in rows if row.index == index)


async def restarted(house: Mesh, name: str, ahead: int) -> None:
    """With a clock so many ms ahead."""
    if name in house.proxies:
        await house.proxies.pop(name).stop()
    await house.start_proxy(name, clock=lambda: wall_clock() + ahead)
    await house.ready(name)


async def test_a_clock_in_2099_takes_no_entry_and_moves_nothing(mesh: tuple[Mesh, People]) -> None:
    house, people = mesh
    await restarted(house, SMALL, CENTURY)
    await house.settled()
    replica = house.proxies[SMALL].node.replica
    async with asyncio.timeout(30):  # until it has heard two others
        while not replica.clock_watch.wrong:
            await replica.reach(replica.position + 1, 0.5)
    assert abs(gauge(house.proxies[SMALL], "eata_clock_off_seconds") + CENTURY / 1000) < 60
    load = await build(people, 12)
    async with people.transport(prefer=[SMALL]) as transport:
        for entry in load.entries[:4]:  # it says what is wrong with it; the client goes elsewhere
            await load.send(transport, entry)
    async with people.transport("CH", prefer=[SMALL]) as desk:  # nor does it blame the desk's clock for its own
        assert await Lists(desk, people.desk("CH-ZRH"), openers()).holds() == []
        assert desk.last_node != SMALL
    await load.run(people, 2)
    assert len(load.acknowledged) == 12
    assert replica.state.log_time < now() + DAY
    await house.settled()
    assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1


async def test_after_a_long_silence_the_log_goes_on_in_the_new_day(mesh: tuple[Mesh, People]) -> None:
    """Four hundred days with nobody there: the first commits are flagged, then log time has caught up, on all six alike."""
    house, people = mesh
    silence, load = 400 * DAY, await build(people, 2)
    for name in list(house.proxies):
        await house.proxies.pop(name).stop()
    alone = await house.start_proxy(SMALL, clock=lambda: wall_clock() + silence)
    await house.ready(SMALL)
    await load.run(people, 1)
    assert [Flag.CLOCK_STALLED in flags_of(alone, index) for index in load.acknowledged.values()] == [True] * 2
    assert gauge(alone, "eata_clock_stalled") == 1
    for name in [node.name for node in house.cluster.nodes if node.name != SMALL]:
        await house.start_proxy(name, clock=lambda: wall_clock() + silence)
    for name in house.proxies:
        await house.ready(name)
    await house.settled()
    times = {proxy.node.replica.state.log_time for proxy in house.proxies.values()}
    assert min(times) > now() + silence - DAY
    assert gauge(alone, "eata_clock_stalled") == 0
    async with people.transport() as transport:
        assert len((await fetch(transport)).charter.nodes) == 6
    assert len({proxy.node.replica.root for proxy in house.proxies.values()}) == 1


async def test_a_node_that_fails_for_no_known_reason_starts_anew(
    mesh: tuple[Mesh, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw: it halts and says so, and comes back by a fresh start; the others go on meanwhile."""
    house, people = mesh
    await house.proxies.pop(SMALL).stop()
    started: list[Proxy] = []

    async def _trim() -> None:
        raise RuntimeError("nobody foresaw this")

    class Failing(Proxy):
        async def start(self) -> None:
            started.append(self)
            if len(started) == 1:
                monkeypatch.setattr(self.node, "_trim", _trim)
            await super().start()

    monkeypatch.setattr(processes, "Proxy", Failing)
    monkeypatch.setattr(processes, "_DISK_SECONDS", 0.1)
    setup = Setup(SMALL, house.home / "nodes" / SMALL, house.genesis, house.cluster)
    healing = asyncio.create_task(processes._healing(setup, os.getppid()))
    await (await build(people, 20)).run(people, 4)
    beside = house.proxies["frankfurt"].node.replica
    async with asyncio.timeout(30):
        while len(started) < 2 or started[1].node.submitting is None:
            await beside.reach(beside.position + 1, 0.1)
    assert "nobody foresaw this" in started[0].node.replica.halted
    house.proxies[SMALL] = started[1]
    await house.settled()
    assert started[1].node.replica.root == beside.root
    monkeypatch.setattr("os.getppid", lambda: 0)  # its parent has gone: it ends
    assert await healing == 0
    del house.proxies[SMALL]
