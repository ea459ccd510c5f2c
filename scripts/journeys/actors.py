"""The actors: every step is a process of its own that shares nothing but what people hand each other."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROVISIONAL = 3  # exit code: ordered, and not final yet
_EATA = Path(sys.executable).with_name("eata")


class StepFailed(Exception):
    """A command ended otherwise than the story says."""


def eata(*arguments: str, given: str = "", environment: dict[str, str] | None = None) -> Any:
    """Runs one `eata … --json` process; `given` is its standard input. Returns its JSON."""
    done = subprocess.run(
        [str(_EATA), *arguments, "--json"], input=given, capture_output=True, text=True, timeout=120,
        env={**os.environ, **(environment or {})}, check=False,
    )  # fmt: skip
    if done.returncode not in (0, _PROVISIONAL):
        raise StepFailed(f"eata {' '.join(arguments[:2])}: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Stage:
    """Where everything is: the cluster's home, the network file, a folder for each actor."""

    home: Path

    @property
    def network(self) -> str:
        return str(self.home / "network.json")

    def office(self, member: str) -> str:
        return str(self.home / "offices" / member)

    def wallet(self, name: str) -> str:
        return str(self.home / "wallets" / name)

    # -- the holder

    def download(self, wallet: str, carnet: str, pin: str) -> Any:
        """`carnet` is an ID or a number."""
        return eata("wallet", "download", "--home", self.wallet(wallet), "--network", self.network,
                    given=f"{carnet} {pin}\n")  # fmt: skip

    def sign(self, wallet: str, carnet_id: int, pin: str) -> Any:
        """The answer holds the holder code."""
        return eata("wallet", "sign", str(carnet_id), "--accept-terms", "--home", self.wallet(wallet), "--network", self.network,
                    given=f"{pin}\n")  # fmt: skip

    def join(self, wallet: str, carnet_id: int) -> str:
        """What a second device shows to the first."""
        asked = eata("wallet", "join", str(carnet_id), "--home", self.wallet(wallet), "--network", self.network)
        return str(asked["text"])

    def admit(self, wallet: str, shown: str) -> Any:
        return eata("wallet", "admit", "--home", self.wallet(wallet), "--network", self.network, given=shown + "\n")

    def revoke(self, wallet: str, carnet_id: int, device: str) -> Any:
        return eata(
            "wallet", "revoke", str(carnet_id), device, "--home", self.wallet(wallet), "--network", self.network
        )

    def travel(self, wallet: str, carnet_id: int, vouchers: list[str]) -> Any:
        wanted = [word for voucher in vouchers for word in ("--voucher", voucher)]
        return eata(
            "wallet", "travel", str(carnet_id), *wanted, "--home", self.wallet(wallet), "--network", self.network
        )

    def qr(self, wallet: str, carnet_id: int, slot: int, png: Path) -> str:
        shown = eata("wallet", "qr", str(carnet_id), str(slot), "--png", str(png), "--home", self.wallet(wallet))
        return str(shown["text"])

    def show(self, wallet: str, carnet_id: int) -> Any:
        return eata("wallet", "show", str(carnet_id), "--home", self.wallet(wallet), "--network", self.network)

    # -- the officer

    def sign_in(self, member: str, office: str) -> None:
        home = self.office(member)
        eata("customs", "sign-in", "--office", office, "--authority", f"{home}/desk-authority.key", "--home", home,
             "--network", self.network)  # fmt: skip

    def commit(self, member: str, qr: str) -> Any:
        return eata("customs", "commit", "--home", self.office(member), "--network", self.network, given=qr + "\n")

    # -- the issuer

    def issue(self, gateway: str, member: str, order: Path) -> Any:
        return eata("issue", str(order), "--gateway", gateway, "--home", self.office(member))

    def issued(self, gateway: str, member: str, number: str, as_of: str) -> Any:
        return eata("issued", number, "--as-of", as_of, "--gateway", gateway, "--home", self.office(member))

    def gateway(self, member: str) -> "Gateway":
        return Gateway(self.office(member), self.network)


class Gateway:
    """A `eata nics serve` process."""

    def __init__(self, home: str, network: str) -> None:
        self._process = subprocess.Popen(
            [str(_EATA), "nics", "serve", "--home", home, "--network", network], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise StepFailed("the gateway did not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
