"""`eata wallet`: tell an office, disagree, ask the issuer, follow what happens."""

from typing import Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_ledger.carnet.vocabulary import AskKind, NoticeKind, SetKind
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import CarnetId, Network, WalletHome, sealed, wallet_app
from eata_clients.commands.standing import line, standing

_ICONS = {"SENT": "○ not processed", "ACKNOWLEDGED": "✓ acknowledged", "COMMITTED": "✓ committed",
          "REJECTED": "✗ denied: stop for inspection", "WITHDRAWN": "– withdrawn"}  # fmt: skip


def register(app: typer.Typer) -> None:
    """The commands hang on the wallet group."""


@wallet_app.command()
def notify(
    carnet: CarnetId, slot: Annotated[int, typer.Argument(min=1, max=1024, help="Voucher slot.")], home: WalletHome,
    network: Network, office: Annotated[str, typer.Option(help="Office code.")],
    eta: Annotated[str, typer.Option(help="When you arrive (ISO with offset).")],
    ask_decision: Annotated[bool, typer.Option("--ask-decision", help="Ask for a decision before arrival (pre-declaration).")] = False,
    no_details: Annotated[bool, typer.Option("--no-details", help="Tell the office nothing of the carnet.")] = False,
    hand_carry: Annotated[bool, typer.Option("--hand-carry/--cargo", help="How the goods travel.")] = True,
    shipment: Annotated[str, typer.Option(help="Shipment number.")] = "",
    mode: Annotated[str, typer.Option(help="Air, Sea, Land.")] = "",
    identification: Annotated[str, typer.Option(help="Flight, vessel, licence plate.")] = "",
    representative: Annotated[str, typer.Option(help="Who presents the goods.")] = "",
    representative_id: Annotated[str, typer.Option(help="EORI or ID.")] = "",
    city: Annotated[str, typer.Option()] = "", country: Annotated[str, typer.Option()] = "",
    text: Annotated[str, sealed("Anything else")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Tell an office you are coming; everything but office and kind is sealed for its territory."""
    from eata_clients.authoring.content import NoticeDetails
    from eata_clients.commands.customs import instant
    from eata_clients.commands.session import run
    from eata_clients.holder.notices import Notices
    from eata_clients.holder.wallet import Wallet
    from eata_clients.net.transport import now

    when = instant(eta)
    if when is None or (ask_decision and no_details):
        raise Malformed("give --eta, and at most one of --ask-decision and --no-details")
    if when < now() - 3_600_000:
        raise Malformed("the time of arrival is over")
    kind = (
        NoticeKind.PREDECLARATION if ask_decision
        else NoticeKind.NOTICE_NO_DETAILS if no_details else NoticeKind.NOTICE_WITH_DETAILS
    )  # fmt: skip
    details = NoticeDetails(
        when, hand_carry, shipment, mode, identification, representative, representative_id, city, country, text, ""
    )
    done = run(
        network, None,
        lambda transport: Notices(Wallet(home, transport)).notify(carnet, slot, office, kind, details),
    )  # fmt: skip
    say({**standing(done), "kind": kind.name}, as_json, line(done, f"{kind.name} sent to {office}."))


@wallet_app.command()
def notices(
    carnet: CarnetId, home: WalletHome, network: Network,
    withdraw: Annotated[str, typer.Option(help="Take back the notice with this id.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Your pre-notifications and what the offices answered."""
    from eata_clients.commands.session import run
    from eata_clients.holder.notices import Notices, Told
    from eata_clients.holder.wallet import Wallet

    async def work(transport: Any) -> list[Told]:
        client = Wallet(home, transport)
        voice = Notices(client)
        told = voice.told(await client.show(carnet))
        if not withdraw:
            return told
        found = next((t.notice for t in told if t.notice.notice_id.hex() == withdraw), None)
        if found is None:
            raise Fault("NOTICE_UNKNOWN", "No such pre-notification.", "See `eata wallet notices`.")
        await voice.withdraw(carnet, found)
        return voice.told(await client.show(carnet))

    rows = [
        {"notice": t.notice.notice_id.hex(), "slot": t.notice.slot, "office": t.notice.office, "kind": t.notice.kind.name,
         "state": t.notice.state.name, "answer": t.said}
        for t in run(network, None, work)
    ]  # fmt: skip
    lines = [f"{_ICONS[str(r['state'])]}  slot {r['slot']} {r['office']} {r['answer']} ({r['notice']})" for r in rows]
    say(rows, as_json, *(lines or ["None."]))


@wallet_app.command()
def disagree(
    carnet: CarnetId, index: Annotated[int, typer.Argument(help="Ledger index of the transaction.")], home: WalletHome,
    network: Network, note: Annotated[str, sealed("What is wrong; kept with the transaction")],
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Bind a note to a committed transaction; it stands whether or not it is cancelled."""
    from eata_clients.commands.session import run
    from eata_clients.holder.notices import Notices
    from eata_clients.holder.wallet import Wallet

    if not note.strip():
        raise Malformed("a note says something")
    done = run(network, None, lambda transport: Notices(Wallet(home, transport)).disagree(carnet, index, note))
    say(standing(done), as_json, line(done, "Noted. To undo the transaction, show `eata wallet qr --cancellation`."))


@wallet_app.command()
def ask(
    carnet: CarnetId, what: Annotated[str, typer.Argument(help="discharge or sets.")], home: WalletHome,
    network: Network,
    sets: Annotated[list[str] | None, typer.Option(help="KIND=N, e.g. TRANSIT=2; again for more.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Ask the issuer for discharge or for more sets."""
    from eata_clients.commands.session import run
    from eata_clients.holder.notices import Notices
    from eata_clients.holder.wallet import Wallet

    if what.upper() not in AskKind.__members__:
        raise Malformed("ask for discharge or for sets")
    wanted = {}
    for text in sets or ():
        name, _, count = text.upper().partition("=")
        if name not in SetKind.__members__ or not count.isdecimal() or len(count) > 4:
            raise Malformed(f"sets are KIND=N, N up to 9999; kinds are {', '.join(SetKind.__members__)}")
        wanted[SetKind[name]] = int(count)
    kind = AskKind[what.upper()]
    if (kind is AskKind.SETS) != bool(wanted):
        raise Malformed("ask for sets with --sets KIND=N, for discharge without")
    done = run(network, None, lambda transport: Notices(Wallet(home, transport)).ask(carnet, kind, wanted))
    sets_asked = {one.name: count for one, count in wanted.items()}
    what_for = " ".join(f"{one} {count}" for one, count in sorted(sets_asked.items())) or "discharge"
    said = line(done, f"Your issuer has been asked for {what_for}.")
    say({**standing(done), "asked": kind.name, "sets": sets_asked}, as_json, said)


@wallet_app.command()
def follow(
    carnet: CarnetId, home: WalletHome, network: Network,
    since: Annotated[int, typer.Option("--from", min=0, help="First ledger index wanted: one past the last you kept.")] = 0,
    count: Annotated[int, typer.Option(min=0, help="Stop after so many events; 0: never.")] = 0,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """What happens to a carnet, one line an event, from an index on."""
    from eata_ledger.log.keys import SigningKey

    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet
    from eata_clients.opened.lines import event_line
    from eata_clients.opened.lists import follow as events

    async def work(transport: Any) -> None:
        device = SigningKey(Wallet(home, transport).kept(carnet).device)
        seen = 0
        async for event in events(transport, "Carnet", device, since, carnet_id=carnet):
            typer.echo(event_line(event, as_json))
            seen += 1
            if seen == count:
                return

    run(network, None, work)
