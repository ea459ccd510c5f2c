"""`eata wallet`: where the goods are and what to do by when; sharing and renewing a voucher."""

from pathlib import Path
from typing import Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_ledger.carnet.dates import day_of
from eata_ledger.carnet.goods.items import Items
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import CarnetId, Network, WalletHome, wallet_app
from eata_clients.commands.standing import line, standing
from eata_clients.commands.terms import Accept, require_terms
from eata_clients.today import own_day

DISCLAIMER = "Whoever has this text can present this one voucher at its territory. You stay liable. Revoke it with `eata wallet renew`."
_Slot = Annotated[int, typer.Argument(min=1, max=1024, help="Voucher slot.")]


def register(app: typer.Typer) -> None:
    """The commands hang on the wallet group."""


@wallet_app.command()
def where(
    carnet: CarnetId, home: WalletHome, network: Network,
    on: Annotated[str, typer.Option(help="As seen on this day (ISO); today if left out.")] = "",
    ics: Annotated[Path | None, typer.Option(help="Write every deadline as a calendar file here.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Each item at home, abroad or gone; what to do, and by when."""
    from eata_clients.commands.session import run
    from eata_clients.holder.forecast import as_json as told
    from eata_clients.holder.forecast import calendar, forecast, lines
    from eata_clients.holder.wallet import Wallet

    day = day_of(on) if on else own_day()
    found = forecast(run(network, None, lambda transport: Wallet(home, transport).show(carnet)), day)
    if ics is not None:
        ics.write_bytes(calendar(found))
    head = f"{found.downloaded.carnet.number}" + (": act soon" if found.at_risk else "")
    say(told(found), as_json, head, *lines(found), *([f"Calendar: {ics}"] if ics else []))


@wallet_app.command()
def share(
    carnet: CarnetId, slot: _Slot, home: WalletHome, network: Network,
    base: Annotated[str, typer.Option(help="Address of the page that opens a voucher.")] = "https://eata.invalid/v",
    accept: Accept = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A link to one voucher: its transaction code alone, in the fragment, which no server sees."""
    from urllib.parse import quote

    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    async def work(transport: Any) -> tuple[str, str, str]:
        client = Wallet(home, transport)
        shown = await client.show(carnet)
        require_terms(client, carnet, accept, as_json)
        voucher = next((v for v in shown.vouchers if v.slot == slot), None)
        if voucher is None or voucher.state.name != "PREPARED":
            raise Fault("TRAVEL_UNKNOWN", "This voucher is not open.", "See `eata wallet show`.")
        return client.code(carnet, slot).text, voucher.kind.name, voucher.territory

    text, kind, territory = run(network, None, work)
    link = f"{base}#{quote(text, safe=':')}"
    data = {"link": link, "text": text, "kind": kind, "territory": territory, "disclaimer": DISCLAIMER}
    say(data, as_json, DISCLAIMER, f"{kind} {territory}: {link}")


@wallet_app.command()
def verify(carnet: CarnetId, slot: _Slot, home: WalletHome, as_json: Annotated[bool, JSON] = False) -> None:
    """Check the verification code Customs gave you (on standard input); needs no network. Exit 1 if it is not good."""
    from eata_host.console import secret
    from eata_ledger.seal.codes import Code, CodeKind, WrongCode

    from eata_clients.holder.keystore import Keystore

    try:
        code = Code.read(CodeKind.VERIFICATION, secret("Verification code"))
    except WrongCode as error:
        raise Malformed(str(error)) from None
    found = Keystore(home).verify(carnet, slot, code)
    data = {"good": bool(found), "nodes": list(found)}
    say(data, as_json, f"good: {', '.join(found)} recorded it." if found else "NOT GOOD: not half of the nodes say so.")
    raise typer.Exit(0 if found else 1)


@wallet_app.command()
def renew(
    carnet: CarnetId, slot: _Slot, home: WalletHome, network: Network,
    items: Annotated[str, typer.Option(help="Corrected item ranges; as declared if left out.")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """A new voucher with new codes: redo what was cancelled, or make a shared code worthless."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    wanted = Items.parse(items) if items else None
    fresh, done = run(network, None, lambda transport: Wallet(home, transport).renew(carnet, slot, wanted))
    said = f"Slot {slot} is worthless now; use slot {fresh}."
    say({**standing(done), "old": slot, "slot": fresh}, as_json, line(done, said))
