"""The guide's journey at the officer's terminal, typed as an officer types it, everything read that the five steps show."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.office import EATA, Office, number, order

GOODS = [
    *({"item": n, "description": f"Mini PC Celeron {n}", "value": "150.00", "weight": "1.2 kg"} for n in range(1, 11)),
    {"item": 11, "description": "WLAN Router", "value": "55.00", "weight": "0.4 kg"},
    {"item": 12, "description": "Portable Monitor", "value": "100.00", "weight": "2 kg"},
    {"item": 13, "description": "Switch", "value": "50.00", "weight": "0.9 kg"},
]  # fmt: skip
SETS = dict.fromkeys(("EXPORT", "IMPORT", "REEXPORT", "REIMPORT", "TRANSIT"), 2)


class Border:
    """A holder's wallet and the desks of two offices, as commands."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.home, self.wallet = office.cluster.home, folder / "wallet"
        self.network = ("--network", str(self.home / "network.json"))
        self.carnet = ""

    def eata(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [str(EATA), *arguments], capture_output=True, text=True, input=given, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sign(self, carnet_id: int, pin: str) -> None:
        self.carnet = str(carnet_id)
        self.holder("sign", "--accept-terms", given=f"{pin}\n")

    def holder(self, command: str, *arguments: str, given: str = "") -> Any:
        network = () if command == "qr" else self.network
        said = self.eata("wallet", command, self.carnet, *arguments, "--home", str(self.wallet), *network, "--json",
                         given=given)  # fmt: skip
        return json.loads(said)

    def travel(self, *arguments: str) -> dict[str, str]:
        """Kind → the QR text of the voucher that was made for it."""
        made = self.holder("travel", *arguments)["vouchers"]
        return {one["kind"]: self.holder("qr", str(one["slot"]))["text"] for one in made}

    def desk(self, member: str, office: str, typed: str) -> str:
        folder = self.home / "offices" / member
        self.eata("customs", "sign-in", "--office", office, "--authority", str(folder / "desk-authority.key"),
                  "--home", str(folder), *self.network)  # fmt: skip
        said = self.eata("desk", *self.opened_by(member), given=f"{typed}q\n")
        assert "Traceback" not in said
        return said

    def opened_by(self, member: str) -> list[str]:
        """Where a desk of that member is, and its territory's keys."""
        folder = self.home / "offices" / member
        keys = [word for path in sorted(folder.glob("territory-*.key")) for word in ("--opener", str(path))]
        return ["--home", str(folder), *self.network, *keys]

    def scan(self, member: str, text: str) -> Any:
        return json.loads(self.eata("customs", "scan", *self.opened_by(member), "--json", given=text))


@pytest.mark.rule("ACC-20")
@pytest.mark.rule("ACC-22")
@pytest.mark.rule("ACC-23")
@pytest.mark.rule("ACC-24")
@pytest.mark.rule("ACC-25")
@pytest.mark.rule("GTP-16")
def test_the_guides_carnet_goes_out_and_home_through_two_terminals(office: Office, tmp_path: Path) -> None:
    """13 items, five kinds: each list whole, each field of its kind, what was said before readable at the next desk."""
    border, carnet = Border(office, tmp_path), {"pieces": 1, "origin": "CH"}
    goods = [{**carnet, **line} for line in GOODS]
    issued = office.issue(
        order(
            request_id="guide",
            number=number(41),
            goods=goods,
            sets=SETS,
            box_p=["XS", "EU"],
            itinerary=["XS"],
            intended_use="Professional equipment",
            representatives=["Ada Lovelace"],
        )
    )
    border.sign(issued.carnet_id, issued.pin)
    means = tmp_path / "means"
    means.write_text("van ZH 1")
    out = border.travel("--to", "XS", "--means", str(means))
    assert list(out) == ["VALIDATION", "EXPORTATION", "IMPORTATION"]
    said = border.desk(
        "CH", "CH-ZRH",
        f"{out['VALIDATION']}\ng\n/router\n\n\nm 3 CH-77\n\nexam y\nref V-1\nseals 5\n\n{out['EXPORTATION']}\n\n\n\n",
    )  # fmt: skip
    shown = [str(line["description"]) for line in goods]
    shown += ["1,705.00", "0.9 kg", "Ada Lovelace", "Professional equipment", "TEST", "van ZH 1"]
    assert [word for word in shown if word not in said] == [], said
    assert "seals applied: not of VALIDATION" in said
    assert len(re.findall(r"● final", said)) == 2
    said = border.desk(
        "XS", "XS-KLOW", f"{out['IMPORTATION']}\nt\n\nm 2 KL-2\n\nf 2031-01-01\nrem wheels sealed\nref I-7\n\n"
    )
    assert "VALIDATION" in said
    assert "● final" in said or "FINAL_DATE_AFTER_VALIDITY" in said
    back = border.travel("--to", "CH", "--items", "all", "--not-returned", "3")
    assert list(back) == ["REEXPORTATION", "REIMPORTATION"]
    again = f"{out['IMPORTATION']}\n\nm 2 KL-2\n\nrem wheels checked\nref I-7\n\n"
    said = border.desk("XS", "XS-KLOW", f"{again}{back['REEXPORTATION']}\nt\n\n\nc sold to the fair\n\n")
    assert "wheels checked" in said  # what this territory sealed at the import
    assert "KL-2" in said
    assert "not returned 3" in said
    listed = border.scan("XS", back["REEXPORTATION"])["general_list"]
    assert [line["marks"] for line in listed[:3]] == ["", "KL-2", ""]
    typed = f"{back['REIMPORTATION']}\nwhat?\nt\n\nx 1\nx 2\nx none\nx 3\nm {'9' * 5000} x\nw 5\n\nrem home\n\n"
    said = border.desk("CH", "CH-ZRH", typed)
    assert "items 2-13; not returned 1" in said, said
    assert "items 1,3-13; not returned 2" in said, said
    wanted = ("V-1", "examined: yes", "sold to the fair", "XS-KLOW")
    assert [word for word in wanted if word not in said] == [], said
    assert "● final" in said
    shown = border.holder("show")
    assert [t["kind"] for t in shown["transactions"]] == [*out, *back]
    assert (shown["home_out"], shown["admitted"]) == ("", {})


@pytest.mark.rule("ACC-REPL")
def test_a_replacements_order_of_steps_asks_for_no_reason(office: Office, tmp_path: Path) -> None:
    """The original comes home before it is re-exported: three Enters at every desk."""
    old, new = Border(office, tmp_path / "old"), Border(office, tmp_path / "new")
    first = office.issue(order(request_id="repl-o", number=number(42), sets=SETS, box_p=["XS"], itinerary=["XS"]))
    old.sign(first.carnet_id, first.pin)
    out = old.travel("--to", "XS")
    enters = "\n\n\n"
    old.desk("CH", "CH-ZRH", "".join(f"{out[kind]}\n{enters}" for kind in ("VALIDATION", "EXPORTATION")))
    old.desk("XS", "XS-KLOW", f"{out['IMPORTATION']}\n{enters}")
    second = office.issue(
        order(request_id="repl-r", number=number(43), sets=SETS, box_p=["XS"], itinerary=["XS"], replaces=number(42))
    )
    new.sign(second.carnet_id, second.pin)
    back, again = old.travel("--to", "CH"), new.travel("--to", "XS")
    steps = [("CH", "CH-ZRH", again["VALIDATION"]), ("CH", "CH-ZRH", again["EXPORTATION"]),
             ("CH", "CH-ZRH", back["REIMPORTATION"]), ("XS", "XS-KLOW", again["IMPORTATION"]),
             ("XS", "XS-KLOW", back["REEXPORTATION"])]  # fmt: skip
    for member, desk, text in steps:
        said = old.desk(member, desk, f"{text}\n{enters}")
        assert "reason ▸" not in said
        assert "● final" in said, said
    assert "replaced by" in said


@pytest.mark.rule("ACC-30")
@pytest.mark.rule("ACC-43")
@pytest.mark.rule("ACC-44")
@pytest.mark.rule("N-06")
def test_an_officer_answers_goes_back_exports_in_two_clicks_and_undoes(office: Office, tmp_path: Path) -> None:
    """Typed as at the guide's desk: an arrival answered, a step taken back with nothing lost, the EU's two clicks, a commit undone."""
    border, issuer = Border(office, tmp_path), Office(office.cluster, "ES-CAMARA")
    form = order(number="ESTB00000051", home="EU", currency="EUR", box_p=["CH"], itinerary=["CH"], sets=SETS)
    issued = issuer.issue(form)
    issuer.stop()
    border.sign(issued.carnet_id, issued.pin)
    out = border.travel("--to", "CH")
    eta = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="minutes")
    border.holder("notify", "3", "--office", "CH-ZRH", "--eta", eta, "--mode", "Road", "--ask-decision")
    said = border.desk("CH", "CH-ZRH", "a\n7 y\n1 maybe\n1 y Gate 4 please\n\na\n")
    assert "mode: Road" in said
    assert "A number of the list, y or n" in said
    assert "Acknowledged: final" in said
    assert "Nobody is announced." in said
    assert [n["state"] for n in border.holder("notices")] == ["ACKNOWLEDGED"]
    typed = f"{out['VALIDATION']}\n\n\nref V-9\nq\nm 1 K-1\nq\nat soon\nat 2099-01-01T00:00+00:00\nat\n\n\n\n"
    said = border.desk("DE", "DE-BER", typed)
    assert "the time is ISO with an offset" in said
    assert "that time has not come yet" in said
    assert "● final" in said
    said = border.desk(
        "DE",
        "DE-BER",
        f"{'x' * 70_000}\n{out['EXPORTATION']}\nt\nr\n{'x' * 5_000}\nq\n\nrem {'x' * 5_000}\npre\npre\npre\n\nf 2031-01-01\n\n",
    )
    assert "the line is too long" in said
    assert "reference: V-9" in said  # typed before the step back
    assert "K-1" in said
    assert "At most 4,000 characters." in said
    assert "PRE_EXPORTATION: the first of the two clicks." in said
    assert "final date, or none: not of PRE_EXPORTATION" in said
    assert "● final" in said
    said = border.desk("DE", "DE-BER", f"{out['EXPORTATION']}\n\n\n\n")
    assert "pre pre-exportation" not in said
    assert "● final" in said
    last = border.holder("show")["transactions"][-1]["index"]
    code = border.holder("qr", "2", "--cancellation")["text"]
    said = border.desk("DE", "DE-BER", f"{code}\n1\nq\n{code}\n{last}\n\nwrong lorry\n")
    assert "One of the numbers above" in said
    assert "Cancelled, ledger index" in said, said
    assert [t["cancelled"] for t in border.holder("show")["transactions"]] == [False, False, True]
