"""`eata registry add-…`: an administration registers, describes and closes its offices; ICC operations admits who is new."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.vocabulary import OfficeType, OrganisationKind
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import Network
from eata_clients.commands.registry import app, fetched, operate, submitted
from eata_clients.commands.standing import line, standing
from eata_clients.today import own_day

if TYPE_CHECKING:
    from eata_clients.authoring.registering import Party

_Home = Annotated[
    Path, typer.Option("--home", envvar="EATA_CLIENT_HOME", help="The organisation's folder: party.cbor.")
]
_Key = Annotated[Path, typer.Option("--key", help="ICC operations' key file.")]
_Code = Annotated[str, typer.Argument(help="Its code, such as CH-ZRH.")]
_From = Annotated[str, typer.Option("--from", help="In force from this day on (ISO); today if left out.")]


def register(_: typer.Typer) -> None:
    """The commands hang on the registry group."""


def _day(text: str) -> int:
    return day_of(text) if text else own_day()


def _told(done: Any, as_json: bool, code: str, said: str) -> None:
    say({"code": code, **standing(done)}, as_json, line(done, said))


# -- an administration's own


@app.command("add-region")
def add_region(
    code: _Code, home: _Home, network: Network,
    territory: Annotated[str, typer.Option(help="The one customs territory it belongs to.")],
    name: Annotated[str, typer.Option(help="Its public name.")],
    closed: Annotated[bool, typer.Option("--closed", help="No longer in use.")] = False,
    since: _From = "", as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Register a region, or its next version (an administration). Example: eata registry add-region CH-NORD --territory CH --name Nord"""
    from eata_ledger.log.bodies import RegisterRegion

    def made(party: "Party") -> Any:
        return RegisterRegion(code.upper(), party.code, territory.upper(), name, not closed, _day(since))

    _told(submitted(network, home, made), as_json, code.upper(), f"Region {code.upper()} is registered.")


@app.command("add-office")
def add_office(
    code: _Code, home: _Home, network: Network,
    territory: Annotated[str, typer.Option(help="Its customs territory.")],
    name: Annotated[str, typer.Option(help="Its public name.")],
    zone: Annotated[str, typer.Option(help="Its IANA time zone, such as Europe/Zurich.")],
    since: _From = "", as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Register an office, or its next version: renamed, moved, opened again (an administration; ACC-61).

    Example: eata registry add-office CH-BSL --territory CH --name Basel --zone Europe/Zurich
    """
    _told(_office(network, home, code.upper(), (territory.upper(), name, zone), True, since), as_json, code.upper(),
          f"Office {code.upper()} is registered. `eata registry describe-office` tells the public where it is.")  # fmt: skip


@app.command("close-office")
def close_office(
    code: _Code, home: _Home, network: Network, since: _From = "", as_json: Annotated[bool, JSON] = False
) -> None:
    """Close an office from a day on (an administration). Example: eata registry close-office CH-BSL --from 2027-01-01"""
    known = fetched(network).offices.get(code.upper())
    if known is None:
        raise Fault("OFFICE_UNKNOWN", f"Office {code[:30]} is not registered.", "See `eata registry offices`.")
    done = _office(network, home, code.upper(), (known.territory, known.name, known.zone), False, since)
    _told(done, as_json, code.upper(), f"Office {code.upper()} is closed from {iso(_day(since))} on.")


def _office(network: Path, home: Path, code: str, what: tuple[str, str, str], active: bool, since: str) -> Any:
    from eata_ledger.log.bodies import RegisterOffice

    from eata_clients.net.transport import now
    from eata_clients.zones import offsets_of

    territory, name, zone = what
    offsets = offsets_of(zone, now())

    def made(party: "Party") -> Any:
        return RegisterOffice(code, party.code, territory, name, zone, offsets, active, _day(since))

    return submitted(network, home, made)


@app.command("describe-office")
def describe_office(
    code: _Code, home: _Home, network: Network,
    region: Annotated[str, typer.Option(help="Its region's code.")],
    address: Annotated[str, typer.Option(help="Its postal address.")],
    contact: Annotated[str, typer.Option(help="Its telephone; no person is named.")] = "",
    hours: Annotated[str, typer.Option(help="Its opening hours.")] = "",
    latitude: Annotated[float | None, typer.Option(min=-90, max=90, help="Degrees north.")] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180, help="Degrees east.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--type", help="ADMINISTRATIVE, SEA_PORT, AIRPORT, LAND_PORT; again for more.")] = None,
    since: _From = "", as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Say in the directory where an office is and when it is open (an administration; ACC-61)."""
    from eata_ledger.log.bodies import DescribeOffice

    wrong = [one for one in kind or () if one.upper() not in OfficeType.__members__ or one.upper() == "NONE"]
    if wrong:
        raise Malformed(f"“{wrong[0][:20]}” is no type of office")
    types = OfficeType(sum({OfficeType[one.upper()] for one in kind or ()}))
    north, east = (None if one is None else round(one * 1_000_000) for one in (latitude, longitude))

    def made(party: "Party") -> Any:
        return DescribeOffice(
            code.upper(),
            party.code,
            region.upper(),
            address,
            contact or None,
            hours or None,
            north,
            east,
            types,
            _day(since),
        )

    _told(submitted(network, home, made), as_json, code.upper(), f"Office {code.upper()} is described.")


@app.command("add-desk-authority")
def add_desk_authority(
    home: _Home, network: Network,
    authority: Annotated[Path, typer.Option(help="The key file that certifies desks; made if it is not there.")],
    since: _From = "", as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Register the key that certifies an administration's desks."""
    import os

    from eata_host.vault import read_key, write_locked
    from eata_ledger.log.bodies import RegisterDeskCA
    from eata_ledger.log.keys import SigningKey

    if not authority.exists():
        write_locked(authority, os.urandom(32))
    key = SigningKey(read_key(authority))
    done = submitted(network, home, lambda party: RegisterDeskCA(party.code, key.public, _day(since)), key)
    _told(done, as_json, key.id.hex(), f"Desk authority {key.id.hex()} is registered.")


# -- ICC operations


@app.command("new-party")
def new_party(
    code: _Code, home: _Home,
    out: Annotated[Path, typer.Option(help="Where to write its public record, for ICC operations.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Make an organisation's own keys; its public record goes to ICC operations (an issuer, an administration, an auditor).

    Example: eata registry new-party FR-CCI --home fr-cci --out fr-cci.json
    """
    import json

    from eata_clients.authoring.registering import Party
    from eata_clients.issuer.client import write_party

    if (home / "party.cbor").exists():
        raise Fault("EXISTS", f"{home.name} holds an organisation's keys already.", "Give another --home.")
    party = Party.new(code.upper())
    write_party(home / "party.cbor", party)
    record = {"code": party.code, "sign_key": party.sign.public.hex(), "seal_key": party.seal.public.hex()}
    out.write_text(json.dumps(record, indent=2))
    say({**record, "file": str(out)}, as_json, f"{party.code}: keys in {home}, public record in {out}.")


def _record(file: Path) -> tuple[str, bytes, bytes]:
    """Code, signing key, sealing key of a public record. Raises `Malformed`."""
    from eata_clients.commands.offline import read_json

    source = read_json(file)
    try:
        return str(source["code"]), bytes.fromhex(source["sign_key"]), bytes.fromhex(source["seal_key"])
    except (KeyError, TypeError, ValueError):
        raise Malformed(f"{file.name} is no public record (`eata registry new-party`)") from None


_Record = Annotated[Path, typer.Argument(help="Its public record (`eata registry new-party`).")]


@app.command("add-issuer")
def add_issuer(
    record: _Record, network: Network, key: _Key,
    home_territory: Annotated[list[str], typer.Option("--home-territory", help="A home it issues carnets of; again for more.")],
    prefix: Annotated[list[str], typer.Option(help="How its carnet numbers begin; again for more.")],
    since: _From = "", as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Admit an issuer, or its next version (ICC operations).

    Example: eata registry add-issuer fr-cci.json --home-territory EU --prefix FR --key operations.key
    """
    from eata_ledger.log.bodies import RegisterOrganisation

    code, sign, seal = _record(record)
    homes = tuple(one.upper() for one in home_territory)
    body = RegisterOrganisation(code, OrganisationKind.ISSUER, sign, seal, homes, tuple(prefix), _day(since))
    _told(operate(network, key, body), as_json, code, f"Issuer {code} is admitted.")


@app.command("add-auditor")
def add_auditor(
    record: _Record, network: Network, key: _Key, since: _From = "", as_json: Annotated[bool, JSON] = False
) -> None:
    """Admit an auditor (ICC operations)."""
    from eata_ledger.log.bodies import RegisterOrganisation

    code, sign, seal = _record(record)
    body = RegisterOrganisation(code, OrganisationKind.AUDITOR, sign, seal, (), (), _day(since))
    _told(operate(network, key, body), as_json, code, f"Auditor {code} is admitted.")


@app.command("add-administration")
def add_administration(
    record: _Record, network: Network, key: _Key, since: _From = "", as_json: Annotated[bool, JSON] = False
) -> None:
    """Admit a customs administration, or its next keys (ICC operations)."""
    from eata_ledger.log.bodies import RegisterAdministration

    code, sign, seal = _record(record)
    body = RegisterAdministration(code, sign, seal, _day(since))
    _told(operate(network, key, body), as_json, code, f"Administration {code} is admitted.")


@app.command("add-territory")
def add_territory(
    code: _Code, network: Network, key: _Key,
    administration: Annotated[list[str], typer.Option(help="An administration of it; again for more.")],
    digital_from: Annotated[str, typer.Option(help="Its digital date (ISO), where that is settled; left out: paper.")] = "",
    two_step: Annotated[bool, typer.Option("--two-step-export", help="It exports in two steps, as the EU does.")] = False,
    since: _From = "", as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Register a customs territory (ICC operations). Example: eata registry add-territory IS --administration IS --key operations.key"""
    from eata_ledger.log.bodies import RegisterTerritory

    members = tuple(one.upper() for one in administration)
    body = RegisterTerritory(
        code.upper(), members, day_of(digital_from) if digital_from else None, two_step, _day(since)
    )
    _told(operate(network, key, body), as_json, code.upper(), f"Territory {code.upper()} is registered.")
