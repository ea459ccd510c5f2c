"""A sandbox's registrations, from a list of parties (sandbox.json)."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eata_host.vault import read_key, write_locked
from eata_ledger.carnet.dates import DAY, day_of
from eata_ledger.carnet.vocabulary import CarnetType, OfficeType, OrganisationKind, SetKind, Topic
from eata_ledger.log import bodies
from eata_ledger.log.entry import Entry
from eata_ledger.log.keys import SigningKey
from eata_ledger.seal.stanza import SealingKey

from eata_clients.authoring import registering
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.registering import Field, Party
from eata_clients.issuer.client import read_party, write_party
from eata_clients.net.transport import now


def registrations(source: dict[str, Any], offices: Path, ledger: bytes) -> list[Entry]:
    """Signed registrations of a list of parties; their keys lie in folders under `offices`, made where missing."""

    operations = SigningKey(read_key(offices / "icc" / "operations.key"))
    # in force since yesterday: west of Greenwich today has not begun everywhere
    stamp, day = Stamp(now()), day_of(datetime.now(UTC).date().isoformat()) - 1
    parties: dict[str, Party] = {}

    def party(code: str) -> Party:
        path = offices / code / "party.cbor"
        if not path.exists():
            write_party(path, Party.new(code))
        parties[code] = read_party(path)
        return parties[code]

    def seed_of(path: Path) -> bytes:
        """A key on disk is never made anew: what it has signed or opened would be lost."""
        if not path.exists():
            write_locked(path, os.urandom(32))
        return read_key(path)

    entries: list[Entry] = []
    for administration in source["administrations"]:
        code = administration["code"]
        entries.append(registering.administration(ledger, operations, party(code), day, stamp))
        authority = SigningKey(seed_of(offices / code / "desk-authority.key"))
        entries.append(registering.desk_authority(ledger, parties[code], authority, day, stamp))
    for territory in source["territories"]:
        code, members = territory["code"], tuple(territory["administrations"])
        digital = territory["digital_from"]
        entries.append(
            registering.territory(
                ledger, operations, code, members, None if digital is None else day_of(digital),
                territory["two_step_export"], day, stamp,
            )
        )  # fmt: skip
        key = SealingKey(seed_of(offices / members[0] / f"territory-{code}.key"))
        for member in members[1:]:
            write_locked(offices / member / f"territory-{code}.key", key.seed)
        recipients = [(parties[m].seal_id, parties[m].seal.public) for m in members]
        validity = (now() - DAY, now() + 90 * DAY)
        entries.append(
            registering.territory_key(ledger, parties[members[0]], code, 1, key, recipients, validity, stamp)
        )
    for o in source["organisations"]:
        field = Field(tuple(o.get("homes", ())), tuple(o.get("prefixes", ())))
        kind = OrganisationKind[o["kind"]]
        entries.append(registering.organisation(ledger, operations, party(o["code"]), kind, field, day, stamp))
    for office in source["offices"]:
        entries.append(
            registering.office(
                ledger, parties[office["administration"]], office["code"], office["territory"], office["name"],
                office["zone"], day, stamp,
            )
        )  # fmt: skip
    return entries + _reference(source, parties, operations, ledger, day, stamp)


def _reference(
    source: dict[str, Any], parties: dict[str, Party], operations: SigningKey, ledger: bytes, day: int, stamp: Stamp
) -> list[Entry]:
    """Regions and descriptions by their administrations; acceptance, voucher sets and publications by operations."""
    by_party: list[tuple[str, bodies.Body]] = [
        (
            r["administration"],
            bodies.RegisterRegion(r["code"], r["administration"], r["territory"], r["name"], True, day),
        )
        for r in source.get("regions", ())
    ]
    by_party += [
        (o["administration"], bodies.DescribeOffice(
            o["office"], o["administration"], o["region"], o["address"], o["contact"], o["hours"],
            _microdegrees(o["latitude"]), _microdegrees(o["longitude"]),
            OfficeType(sum(OfficeType[name] for name in o["types"])), day,
        ))
        for o in source.get("described", ())
    ]  # fmt: skip
    by_operations: list[bodies.Body] = [
        bodies.Acceptance(
            a["territory"], tuple(a["categories"]), a["transit"], a["split"], a["postal"], a["replacement"], day
        )
        for a in source.get("acceptance", ())
    ]
    for v in source.get("voucher_sets", ()):
        colours = {SetKind[name]: colour for name, colour in v["colours"].items()}
        by_operations.append(bodies.VoucherSets(CarnetType[v["type"]], v["home"], v["cover"], colours, day))
    by_operations += [
        bodies.Publish(Topic[p["topic"]], p["key"], p["title"], p["text"], day) for p in source.get("published", ())
    ]
    return [
        *(registering.by_party(ledger, parties[code], body, stamp) for code, body in by_party),
        *(registering.by_operations(ledger, operations, body, stamp) for body in by_operations),
    ]


def _microdegrees(degrees: float | None) -> int | None:
    return None if degrees is None else round(degrees * 1_000_000)
