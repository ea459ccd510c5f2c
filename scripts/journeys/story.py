"""The story: issue, download, sign, travel, scan, commit, fail over, scrub, survive, reconcile, verify."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from eata_node.operator.cluster import Cluster

from scripts.journeys.actors import Gateway, Stage, StepFailed, eata
from scripts.journeys.plot import ADMINISTRATION, GUIDE, Play, Scene

Tell = Callable[[str], None]
_EATA = Path(sys.executable).with_name("eata")


@dataclass
class Told:
    """One committed transaction, and later its receipt."""

    play: Play
    scene: Scene
    carnet_id: int
    index: int
    entry: str
    ms: float
    node: str
    qr: Path
    receipt: dict[str, Any] = field(default_factory=dict)


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


@dataclass
class Story:
    """Plays everything on a running cluster and keeps what the report needs."""

    stage: Stage
    cluster: Cluster
    out: Path
    tell: Tell
    seed: tuple[Play, ...]
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    ids: dict[str, int] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    gateways: dict[str, Gateway] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.events.append(text)
        self.tell(text)

    # -- act one: issue, download, sign

    def open(self) -> None:
        for member in ("CH-ALLIANCE", "ES-CAMARA"):
            self.gateways[member] = self.stage.gateway(member)
        for office, member in ADMINISTRATION.items():
            self.stage.sign_in(member, office)
        for play in (*self.seed, GUIDE):
            self._issue(play)
        self.say(f"issued and signed: {', '.join(f'{n} (ID {i})' for n, i in self.ids.items())}")

    def _issue(self, play: Play) -> None:
        order = {
            "request_id": f"demo-{play.number}", "number": play.number, "home": play.home, "test": True,
            "valid_until": (self.today + timedelta(days=play.days)).isoformat(), "currency": play.currency,
            "holder": play.holder, "intended_use": "Exhibitions and fairs", "box_p": list(play.box_p),
            "itinerary": list(play.box_p), "sets": dict.fromkeys(("EXPORT", "IMPORT", "REEXPORT", "REIMPORT"), 2),
            "goods": [
                {"item": n, "description": what, "pieces": 1, "origin": "CH", "value": _amount(worth)}
                for n, (what, worth) in enumerate(play.goods, 1)
            ],
            "items": len(play.goods), "total": _amount(sum(worth for _, worth in play.goods)),
        }  # fmt: skip
        path = self.stage.home / f"order-{play.number}.json"
        path.write_text(json.dumps(order))
        issued = self.stage.issue(self.gateways[play.issuer].address, play.issuer, path)
        carnet_id = self.ids[play.number] = int(issued["carnet_id"])
        named = play.number if play is GUIDE else str(carnet_id)
        shown = self.stage.download(play.issuer, named, issued["pin"])
        _equal(shown["total"], f"{sum(worth for _, worth in play.goods) / 100:,.2f} {play.currency}", "total value")
        self.stage.sign(play.issuer, carnet_id, issued["pin"])

    def phones(self) -> None:
        """A second phone is admitted by the first; a third one is stolen, and taken back with every code it can make."""
        owner, carnet_id = GUIDE.issuer, self.ids[GUIDE.number]
        admitted = {name: self._admit(owner, name, carnet_id) for name in ("second phone", "stolen phone")}
        _equal(self.stage.show("second phone", carnet_id)["carnet_id"], carnet_id, "the carnet on the second phone")
        self.say(f"a second phone was admitted to {GUIDE.number} by its QR, screen to screen")
        self.stage.revoke(owner, carnet_id, admitted["stolen phone"])
        try:
            self.stage.show("stolen phone", carnet_id)
        except StepFailed:
            self.say("a stolen phone was taken back: it reads nothing any more, and the codes it can make are void")
        else:
            raise StepFailed("a phone that was taken back still reads the carnet")

    def _admit(self, owner: str, name: str, carnet_id: int) -> str:
        device = str(self.stage.admit(owner, self.stage.join(name, carnet_id))["device"])
        self.stage.show(name, carnet_id)
        return device

    # -- act two: travel and cross borders

    def play(self, play: Play, first: int = 0, last: int | None = None) -> None:
        """The travels numbered `first` to `last`, every voucher prepared, shown, scanned and committed."""
        carnet_id = self.ids[play.number]
        for travel in play.travels[first:last]:
            vouchers = [f"{s.kind}:{s.territory}:{s.items}" for s in travel]
            slots = self.stage.travel(play.issuer, carnet_id, vouchers)["vouchers"]
            for scene, slot in zip(travel, slots, strict=True):
                self._cross(play, scene, carnet_id, int(slot["slot"]))

    def _cross(self, play: Play, scene: Scene, carnet_id: int, slot: int) -> None:
        png = self.out / f"voucher-{carnet_id}-{slot}.png"
        text = self.stage.qr(play.issuer, carnet_id, slot, png)
        done = self.stage.commit(ADMINISTRATION[scene.office], text)
        _equal(done["kind"], scene.kind, "kind committed")
        self.told.append(Told(play, scene, carnet_id, done["index"], done["entry"], done["ms"], done["node"], png))

    def kill_the_one_in_use(self) -> str:
        name = self.told[-1].node
        self.cluster.kill(name)
        self.say(f"{name}, the proxy in use, is killed; the journey goes on through another")
        return name

    def bring_back(self, name: str) -> None:
        """Restarts a proxy and waits until it has everything the others have."""
        self.cluster.start(name)
        head = max(self.cluster.status(other).position for other in self.alive() if other != name)
        status = self.cluster.wait(name, head)
        self.say(f"{name} is back, caught up at position {status.position}, {status.size} entries")

    def kill_the_leader(self) -> str:
        """The core, which comes back at once; or the etcd member that leads, and another takes over."""
        voters = self.cluster.voters
        if voters is None:
            self.cluster.kill("core")
            self.cluster.start("core")
            self.say("the core, which orders the log, is killed and started again")
            return ""
        leader, started = asyncio.run(voters.leader()), time.monotonic()
        voters.kill(leader)
        new = asyncio.run(voters.leader())
        self.say(f"{leader}, which led the log, is killed; {new} leads after {time.monotonic() - started:.1f} s")
        return leader

    def bring_back_a_member(self, name: str) -> None:
        if name and self.cluster.voters is not None:
            self.cluster.voters.start(name)
            self.say(f"{name} is back, and follows")

    def alive(self) -> list[str]:
        return [name for name in self.cluster.names if name in self.cluster.processes]

    # -- act three: faults

    def flip_a_bit(self, name: str) -> None:
        """One bit of one SST file of a stopped, flushed replica; the scrub must find it."""
        self.cluster.stop(name)
        folder = self.stage.home / "nodes" / name / "store"
        sst = max(folder.glob("*.sst"), key=lambda path: path.stat().st_size)
        data = bytearray(sst.read_bytes())
        data[len(data) // 3] ^= 0x10
        sst.write_bytes(data)
        arguments = [str(_EATA), "scrub", name, "--home", str(self.stage.home), "--set-aside", "--json"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
        found = json.loads(done.stdout)
        if done.returncode != 1 or found["whole"]:
            raise StepFailed("the scrub did not find the flipped bit")
        self.say(f"one bit flipped in {sst.name} of {name}: the scrub found it ({found['evidence'][:60]}…)")
        self.bring_back(name)

    def last_one_standing(self, scene_play: Play) -> None:
        """Five of six dead: the sixth reads and commits."""
        sixth = self.cluster.names[-2]
        for name in self.alive():
            if name != sixth:
                self.cluster.kill(name)
        self.play(scene_play, 1)
        self.stage.show(scene_play.issuer, self.ids[scene_play.number])
        _equal(self.told[-1].node, sixth, "the node that answered")
        self.say(f"five of six killed: {sixth} alone read and committed {len(scene_play.travels[1])} transactions")
        for name in self.cluster.names:
            if name != sixth:
                self.bring_back(name)

    # -- act four: reconcile and prove

    def reconcile(self) -> list[dict[str, Any]]:
        carnets = []
        for play in self.seed:
            last = self.today + timedelta(days=play.days)
            gateway = self.gateways[play.issuer].address
            on_last = self.stage.issued(gateway, play.issuer, play.number, last.isoformat())
            after = self.stage.issued(gateway, play.issuer, play.number, (last + timedelta(days=1)).isoformat())
            _equal(on_last["status"], "N/A", f"{play.number} on its last valid day")
            _equal(after["status"], play.expected, f"{play.number} the day after")
            found = [(r["kind"], r["territory"], r["items"]) for r in after["reasons"]]
            _equal(sorted(found), sorted(play.reasons), f"{play.number} reasons")
            carnets.append({
                "number": play.number, "status": after["status"], "status_on_last_day": on_last["status"],
                "reasons": after["reasons"],
            })  # fmt: skip
        self.say("reconciled: " + ", ".join(f"{c['number']} {c['status']}" for c in carnets))
        return carnets

    def lost(self) -> int:
        """Acknowledged commits that the holder's own wallet no longer finds."""
        found: set[int] = set()
        for play in (*self.seed, GUIDE):
            shown = self.stage.show(play.issuer, self.ids[play.number])
            found |= {row["index"] for row in shown["transactions"]}
        return sum(told.index not in found for told in self.told)

    def replicas(self) -> list[dict[str, Any]]:
        """Six equal roots at the same size."""
        size = max(self.cluster.status(name).size for name in self.cluster.names)
        position = max(self.cluster.status(name).position for name in self.cluster.names)
        found = [self.cluster.wait(name, position) for name in self.cluster.names]
        _equal(len({(s.size, s.root) for s in found}), 1, f"number of different roots at size {size}")
        self.say(f"six equal roots at size {found[0].size}: {found[0].root.hex()[:16]}…")
        return [{"name": s.name, "size": s.size, "root": s.root.hex()} for s in found]

    def receipts(self) -> list[dict[str, Any]]:
        """Fetches each receipt with its QR picture and verifies it offline."""
        trust = self.out / "trust.cbor"
        eata("trust", "export", "--network", self.stage.network, "--out", str(trust))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda told: self._receipt(told, trust), self.told))
        offline = "with the network cut off" if _UNSHARE else "offline"
        self.say(f"{len(self.told)} receipts verified {offline}, each signed by 4 of 6 or more")
        return [told.receipt for told in self.told]

    def _receipt(self, told: Told, trust: Path) -> None:
        file, png = self.out / f"receipt-{told.index}.cose", self.out / f"receipt-{told.index}.png"
        eata(
            "fetch-receipt",
            str(told.index),
            told.entry,
            "--network",
            self.stage.network,
            "--out",
            str(file),
            "--png",
            str(png),
        )
        arguments = [*_UNSHARE, str(_EATA), "receipt", "verify", str(png), "--trust", str(trust), "--json"]
        empty = self.out / "empty-home"
        empty.mkdir(exist_ok=True)
        environment = {"HOME": str(empty), "PATH": os.environ["PATH"]}
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment, check=False)
        if done.returncode:
            raise StepFailed(f"the receipt of index {told.index} does not verify: {done.stdout}{done.stderr}")
        verdict = json.loads(done.stdout)
        _equal(verdict["index"], told.index, "index of the receipt")
        told.receipt = {
            "index": told.index, "carnet": told.play.number, "kind": told.scene.kind, "good": verdict["good"],
            "signers": verdict["signers"], "why": verdict["why"], "file": file.name, "qr": png.name,
        }  # fmt: skip

    def audit(self) -> str:
        found = eata("audit", "--node", self.cluster.names[0], "--network", self.stage.network, "--home",
                     self.stage.office("ICC-AUDIT"))  # fmt: skip
        _equal((found["roots_equal"], found["forks"]), (6, 0), "audit: roots equal, forks")
        line = f"{found['entries']:,} entries, {found['roots_equal']}/6 roots equal, {found['forks']} forks"
        self.say(f"audit from genesis: {line}")
        return line

    def close(self) -> None:
        for gateway in self.gateways.values():
            gateway.stop()


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


_UNSHARE = ["unshare", "-n"] if _can_unshare() else []


def _equal(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise StepFailed(f"{what}: expected {expected!r}, found {found!r}")
