"""`eata registry`: readiness, offices, regions, acceptance, voucher sets, news, directory; and ICC's publishing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_host.vault import read_key
from eata_ledger.carnet.dates import day_of, iso
from eata_ledger.carnet.territories import digital_by
from eata_ledger.carnet.vocabulary import ReadinessStage, Topic
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import Network
from eata_clients.commands.standing import line, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from eata_ledger.log.keys import SigningKey

    from eata_clients.authoring.registering import Party

app = typer.Typer(
    help="The public registry: who is digital, which offices, what is accepted, news.", no_args_is_help=True
)
_Key = Annotated[Path, typer.Option("--key", help="ICC operations' key file.")]


# Customs Preparation Guide, steps 1.3, 1.5 and 5; the quoted sentence is the administrative committee's own
_ADDRESSEES = ("wcf-ata@iccwbo.org", "facilitation@wcoomd.org")
_LETTERS = {
    ReadinessStage.PROVISIONAL: (
        "Customs territory {territory} notifies its provisional digital date: {day}.\n"
        "It will be confirmed at least three months before."
    ),
    ReadinessStage.CONFIRMED: (
        "“All formalities necessary for implementing the provisions of the Istanbul Convention shall be carried out by "
        "using the digital eATA carnet system as deployed by the International Chamber of Commerce as from {day}. Paper "
        "ATA carnets may be used only in cases where eATA carnets cannot be issued.”\n"
        "Customs territory: {territory}"
    ),
}


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="registry")


def fetched(network: Path) -> Any:
    from eata_clients.commands.session import run
    from eata_clients.trust.registry_pages import fetch

    return run(network, None, fetch)


@app.command()
def readiness(network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Which territories are digital, since or from when, and how firm the date is (GTP-01, GTP-02)."""
    registry = fetched(network)
    rows = []
    for code, territory in sorted(registry.territories.items()):
        announced = registry.announced.get(code)
        since = territory.digital_from
        rows.append({
            "territory": code, "administrations": list(territory.administrations),
            "digital_from": None if since is None else iso(since),
            "digital": digital_by(since, registry.today),
            "announced": None if announced is None else iso(announced.digital_from),
            "stage": None if announced is None else announced.stage.name,
        })  # fmt: skip
    sentence = "Paper ATA carnets may be used only in cases where eATA carnets cannot be issued."  # GTP-12
    lines = [
        f"{r['territory']:<5} {'digital since ' + str(r['digital_from']) if r['digital'] else 'paper'}"
        + (f", {str(r['stage']).lower()} {r['announced']}" if r["announced"] else "")
        for r in rows
    ]
    data = {"as_of": iso(registry.today), "territories": rows, "where_digital": sentence}
    say(data, as_json, *lines, f"Where digital: {sentence}")


@app.command()
def offices(
    network: Network, territory: Annotated[str, typer.Option(help="Only this territory.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Offices with region, address, hours, place and types (ACC-61)."""
    registry = fetched(network)
    if territory and territory not in registry.territories:
        raise Malformed(f"territory “{territory[:20]}” is not registered")
    rows = []
    for code, office in sorted(registry.offices.items()):
        about = registry.described.get(code)
        if territory in ("", office.territory):
            rows.append({
                "code": code, "name": office.name, "administration": office.administration,
                "territory": office.territory, "zone": office.zone, "active": office.active, "region": about and about.region,
                "address": about and about.address, "contact": about and about.contact, "hours": about and about.hours,
                "latitude": about and about.latitude and about.latitude / 1e6,
                "longitude": about and about.longitude and about.longitude / 1e6,
                "types": [] if about is None else [t.name for t in about.types],
            })  # fmt: skip
    lines = [f"{r['code']:<12} {r['territory']:<4} {r['name']}" + ("" if r["active"] else " (closed)") for r in rows]
    say(rows, as_json, *lines)


@app.command()
def regions(network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Customs regions, each of one territory (OBJ-03)."""
    found = fetched(network).regions
    rows = [
        {"code": r.code, "name": r.name, "administration": r.administration, "territory": r.territory, "active": r.active}
        for _, r in sorted(found.items())
    ]  # fmt: skip
    say(rows, as_json, *(f"{r['code']:<12} {r['territory']:<4} {r['name']}" for r in rows))


@app.command()
def acceptance(network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """What each territory accepts: intended uses, transit, split, postal, replacement (domain §3.4)."""
    rows = [
        {"territory": a.territory, "categories": list(a.categories), "transit": a.transit, "split": a.split,
         "postal": a.postal, "replacement": a.replacement, "effective": iso(a.effective)}
        for _, a in sorted(fetched(network).accepted.items())
    ]  # fmt: skip
    say(rows, as_json, *(_accepts(r) for r in rows))


def _accepts(row: dict[str, Any]) -> str:
    also = [name for name in ("transit", "split", "postal", "replacement") if row[name]]
    return f"{row['territory']:<4} {', '.join(row['categories'])}; {', '.join(also)}"


@app.command()
def sets(network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Voucher sets and colours by carnet type and home (domain §3.1)."""
    rows = [
        {"type": v.type.name, "home": v.home, "cover": v.cover, "colours": {k.name: c for k, c in v.colours.items()}}
        for _, v in sorted(fetched(network).voucher_sets.items())
    ]
    say(
        rows,
        as_json,
        *(
            f"{r['type']:<12} {r['home'] or 'all':<4} {', '.join(f'{k} {c}' for k, c in r['colours'].items())}"
            for r in rows
        ),
    )


def _published(topic: Topic, network: Path, as_json: bool) -> None:
    registry = fetched(network)
    rows = [
        {"key": key, "title": p.title, "text": p.text, "effective": iso(p.effective)}
        for key, p in registry.published(topic).items()
        if p.text is not None and p.effective <= registry.today
    ]
    rows.sort(key=lambda row: (row["effective"], row["key"]), reverse=True)
    lines = [line for r in rows for line in (f"{r['effective']} {r['title']}", *_indented(r["text"] or ""))]
    say(rows, as_json, *lines)


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.split("\n")]


@app.command()
def news(network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """News from ICC, the newest first (ACC-72)."""
    _published(Topic.NEWS, network, as_json)


@app.command()
def directory(network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Stakeholders of the guarantee chain (ACC-72)."""
    _published(Topic.DIRECTORY, network, as_json)


def operate(network: Path, key: Path, body: Any) -> Any:
    """What ICC operations signs, ordered."""
    from eata_ledger.log.keys import SigningKey

    return _submit(network, None, lambda: (body, SigningKey(read_key(key))))


def submitted(network: Path, home: Path, made: "Callable[[Party], Any]", *others: "SigningKey") -> Any:
    """What an organisation signs with its own key, and with others that must sign too, ordered."""
    from eata_clients.issuer.client import read_party

    party = read_party(home / "party.cbor")
    return _submit(network, home if (home / "tls.key").exists() else None, lambda: (made(party), party.sign, *others))


def _submit(network: Path, identity: Path | None, made: "Callable[[], tuple[Any, *tuple[SigningKey, ...]]]") -> Any:
    from eata_clients.authoring.content import Stamp
    from eata_clients.authoring.entries import make
    from eata_clients.commands.session import run
    from eata_clients.net.submitting import submit
    from eata_clients.net.transport import now
    from eata_clients.trust.registry_pages import fetch

    async def work(transport: Any) -> Any:
        charter = (await fetch(transport)).charter
        body, *signers = made()
        return await submit(transport, charter, make(charter.ledger, body, Stamp(now()), tuple(signers)))

    return run(network, identity, work)


@app.command()
def publish(
    topic: Annotated[str, typer.Argument(help="news or directory.")], code: Annotated[str, typer.Argument(help="Its key.")],
    network: Network, key: _Key, title: Annotated[str, typer.Option(help="One line.")],
    text: Annotated[str, typer.Option(help="The text; left out, the entry is withdrawn.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Publish news or a directory entry (ICC operations)."""
    from eata_ledger.log.bodies import Publish

    if topic.upper() not in Topic.__members__:
        raise Malformed("topics are news and directory")
    if not text and code not in fetched(network).published(Topic[topic.upper()]):
        raise Malformed(f"there is no {topic.lower()} entry “{code[:30]}” to withdraw; give --text to publish one")
    today = day_of(datetime.now(UTC).date().isoformat())
    done = operate(network, key, Publish(Topic[topic.upper()], code, title, text or None, today))
    say(standing(done), as_json, line(done, "Published." if text else "Withdrawn."))


@app.command()
def revoke(
    network: Network, key: Annotated[Path, typer.Option("--key", help="Key file of ICC operations.")],
    leaked: Annotated[str, typer.Option(help="Key id (32 hex digits) of the key that leaked.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Revoke an organisation's key or a desk authority: nothing it signs counts from here on (ICC operations)."""
    from eata_ledger.log.bodies import RevokeKey

    try:
        which = bytes.fromhex(leaked)
    except ValueError:
        which = b""
    if len(which) != 16:
        raise Malformed("a key is named by the 32 hex digits of its key id")
    done = operate(network, key, RevokeKey(which))
    say(standing(done), as_json, line(done, f"Revoked from ledger index {done.index} on."))


@app.command()
def announce(
    territory: Annotated[str, typer.Argument(help="Territory code.")], network: Network,
    digital_from: Annotated[str, typer.Option(help="The digital date (ISO).")],
    stage: Annotated[str, typer.Option(help="provisional (5 months ahead) or confirmed (3 months ahead).")] = "provisional",
    letter: Annotated[bool, typer.Option("--letter", help="Only print the notice to ICC and WCO, to be sent by e-mail.")] = False,
    key: Annotated[Path | None, typer.Option("--key", help="ICC operations' key file.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Announce or confirm a territory's digital date (ICC operations)."""
    from eata_ledger.log.bodies import Readiness

    if stage.upper() not in ReadinessStage.__members__:
        raise Malformed("stages are provisional and confirmed")
    body = Readiness(territory.upper(), ReadinessStage[stage.upper()], day_of(digital_from))
    if letter:
        text = _LETTERS[body.stage].format(territory=body.territory, day=iso(body.digital_from))
        say({"to": list(_ADDRESSEES), "text": text}, as_json, f"To: {', '.join(_ADDRESSEES)}", "", *text.split("\n"))
        return
    if key is None:
        raise Fault("OPTION", "An announcement is signed by ICC operations.", "Give --key, or --letter for the notice.")
    done = operate(network, key, body)
    say(standing(done), as_json, line(done, f"{territory.upper()}: {stage.lower()} {digital_from}."))


@app.command()
def provisional(
    home: Annotated[Path, typer.Option(envvar="EATA_CLIENT_HOME", help="The administration's folder: party.cbor.")],
    network: Network,
    goods: Annotated[bool, typer.Option("--goods-pass/--goods-wait", help="Until a commit is final.")],
    effective: Annotated[str, typer.Option(help="From this day on (ISO); today if left out.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Say whether goods may pass on a commit that is ordered and not final yet (an administration)."""
    from eata_ledger.log.bodies import Provisional

    from eata_clients.issuer.client import read_party

    party, day = read_party(home / "party.cbor"), day_of(effective or datetime.now(UTC).date().isoformat())
    done = _submit(network, home, lambda: (Provisional(party.code, goods, day), party.sign))
    said = f"{party.code}: goods {'may pass' if goods else 'wait'} until a commit is final, from {iso(day)} on."
    say(standing(done), as_json, line(done, said))
