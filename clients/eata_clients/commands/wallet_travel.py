"""`eata wallet travel`: from where to where with which items; its vouchers are made by themselves (APP-10, APP-15, U5)."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, say
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.territories import territory_of
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import CarnetId, Network, WalletHome, sealed, wallet_app
from eata_clients.commands.standing import line, standing

if TYPE_CHECKING:
    from eata_clients.authoring.holding import Wish
    from eata_clients.holder.downloaded import Downloaded
    from eata_clients.holder.wallet import Travelled

_TravelId = Annotated[str, typer.Argument(help="Travel id, as `show` prints it.")]
_VOUCHER = "KIND:TERRITORY:ITEMS[:NOT_RETURNED]"


def register(app: typer.Typer) -> None:
    """The commands hang on the wallet group."""


@wallet_app.command()
def travel(
    carnet: CarnetId, home: WalletHome, network: Network,
    to: Annotated[str, typer.Option(help="Country or customs territory that the goods go to; home's for the way back.")] = "",
    transit: Annotated[list[str] | None, typer.Option(help="A territory crossed on the way; again for more, in order.")] = None,
    items: Annotated[str, typer.Option(help="Ranges such as 1-10,12; or all, rest, same (as last time).")] = "all",
    origin: Annotated[str, typer.Option("--from", help="Where the goods are, if that is not plain.")] = "",
    not_returned: Annotated[str, typer.Option(help="Items that stay behind for good, on a way back.")] = "",
    nickname: Annotated[str, sealed("What you call this travel")] = "",
    departure: Annotated[str, sealed("When and where it begins")] = "",
    place: Annotated[str, sealed("Place, event or use there")] = "",
    means: Annotated[str, sealed("Means of transport")] = "",
    packaging: Annotated[str, sealed("How it is packed")] = "",
    remarks: Annotated[str, sealed("Remarks: flight, licence plate")] = "",
    voucher: Annotated[list[str] | None, typer.Option(help=f"{_VOUCHER}: by kind, in place of --to; one for each voucher.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Prepare a travel; its vouchers take the next slots.

    Example: eata wallet travel 883 --to DE --items 1-10 --transit RS
    """
    from eata_clients.authoring.content import DeclarationContent
    from eata_clients.commands.session import run
    from eata_clients.holder.travelling import WantedTravel, require_ready
    from eata_clients.holder.wallet import Wallet

    if bool(to) == bool(voucher):
        raise Malformed("a travel goes --to a territory, or names each --voucher by kind")
    details = DeclarationContent(departure, place, means, remarks, packaging, nickname)
    trip = WantedTravel(to, tuple(transit or ()), items, origin, Items.parse(not_returned), details)
    kinds = tuple(wish(text, details) for text in voucher or ())

    async def work(transport: Any) -> "Travelled":
        client = Wallet(home, transport)
        if not kinds:
            return await client.travel_to(carnet, trip)
        registry = await client.registry()

        def wishes(shown: "Downloaded") -> "tuple[Wish, ...]":
            require_ready(shown, kinds, registry.digital(shown.carnet.home, shown.carnet.issued))
            return kinds

        return await client.travel(carnet, wishes)

    made = run(network, None, work)
    vouchers = [{"slot": slot, "kind": kind.name, "territory": territory} for slot, kind, territory in made.slots]
    said = (f"slot {v['slot']}: {v['kind']} {v['territory']}" for v in vouchers)
    say({**standing(made.done), "vouchers": vouchers}, as_json, *said, line(made.done, "Prepared."))


@wallet_app.command()
def edit(
    carnet: CarnetId, travel_id: _TravelId, home: WalletHome, network: Network,
    voucher: Annotated[list[str], typer.Option(help=f"{_VOUCHER}; one for each voucher.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Change a travel's vouchers; their codes stay the same."""
    from eata_clients.authoring.content import NO_DETAILS
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    which, wishes = _travel_id(travel_id), tuple(wish(text, NO_DETAILS) for text in voucher)
    done = run(network, None, lambda transport: Wallet(home, transport).edit(carnet, which, wishes))
    say(standing(done), as_json, line(done, "Changed."))


@wallet_app.command()
def delete(
    carnet: CarnetId, travel_id: _TravelId, home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False
) -> None:
    """Delete a travel that has not been transacted; its sets come back."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    which = _travel_id(travel_id)
    done = run(network, None, lambda transport: Wallet(home, transport).delete(carnet, which))
    say(standing(done), as_json, line(done, "Deleted."))


def _travel_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Malformed("a travel id is hex digits") from None


def wish(text: str, details: Any) -> "Wish":
    """A voucher by kind. Raises `Malformed`."""
    from eata_clients.authoring.holding import Wish

    match text.split(":"):
        case [kind, territory, items]:
            rest = ""
        case [kind, territory, items, rest]:
            pass
        case _:
            raise Malformed(f"a voucher is {_VOUCHER}")
    if kind.upper() not in Kind.__members__:
        raise Malformed(f"“{kind[:20]}” is not a kind; kinds are {', '.join(Kind.__members__)}")
    return Wish(Kind[kind.upper()], territory_of(territory), Items.parse(items), Items.parse(rest), details)
