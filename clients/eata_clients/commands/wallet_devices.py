"""`eata wallet`: the devices of a carnet. The first signs, another is admitted or knows the holder code, a lost one leaves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from eata_host.console import JSON, answer, at_terminal, say, secret
from eata_host.faults import Fault
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import CarnetId, Network, WalletHome, wallet_app
from eata_clients.commands.standing import line, standing
from eata_clients.commands.terms import Accept, require_terms

if TYPE_CHECKING:
    from eata_ledger.seal.codes import Code

_GIVES = "Whoever has this holds the whole carnet as you do: prepares travels, shows codes, takes devices back. You stay liable."
_NEW_PIN = (
    "A thief who knows the PIN can still look at the carnet: ask your issuer for another (`eata issuer rotate-pin`)."
)
_WRITE_DOWN = "Write it down and keep it apart from your phone: no device keeps it, and it is shown once."


def register(app: typer.Typer) -> None:
    """The commands hang on the wallet group."""


class _Shown:
    """A holder code, told before anything is sent."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self.code = as_json, ""

    def __call__(self, code: "Code") -> None:
        self.code = code.shown
        for text in (f"Holder code: {code.shown}", _WRITE_DOWN):
            typer.echo(text, err=self._as_json)


@wallet_app.command()
def sign(
    carnet: CarnetId, home: WalletHome, network: Network, accept: Accept = False, as_json: Annotated[bool, JSON] = False
) -> None:  # fmt: skip
    """Accept the terms and sign the carnet. Its first device gives the PIN on standard input, and gets the holder code."""
    from eata_ledger.proof.qr import CodeQr, read_code
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.authoring.devices import TERMS
    from eata_clients.commands.session import run
    from eata_clients.holder.keystore import Keystore
    from eata_clients.holder.wallet import Wallet

    shown = _Shown(as_json)

    async def held(transport: Any) -> bool:
        client = Wallet(home, transport)
        return client.holds(carnet) and await client.still_holds(carnet)

    wallet = Keystore(home)
    if wallet.holds(carnet) and run(network, None, held):
        require_terms(wallet, carnet, accept, as_json)
        done = run(network, None, lambda transport: Wallet(home, transport).sign_again(carnet))
    else:
        pin = secret("PIN")
        if not pin:
            raise Fault("PIN_MISSING", "No PIN was given.", "Type it, or send it on standard input.")
        given = read_code(pin if ":" in pin or " " in pin else f"{carnet} {pin}", CodeKind.PIN)
        qr = CodeQr(str(carnet), given.code)
        require_terms(wallet, carnet, accept, as_json)
        done = run(network, None, lambda transport: Wallet(home, transport).sign(qr, shown))
    data = {"carnet_id": carnet, "terms": TERMS, **({"index": None} if done is None else standing(done))}
    if shown.code:
        data["holder_code"] = shown.code
    say(data, as_json, "Already signed." if done is None else line(done, "Signed."))


@wallet_app.command()
def join(
    carnet: Annotated[str, typer.Argument(help="Carnet ID or number.")], home: WalletHome, network: Network,
    code: Annotated[bool, typer.Option("--code", help="By the holder code, on standard input: no other device is needed.")] = False,
    png: Annotated[Path | None, typer.Option(help="Also write the QR picture here.")] = None,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Add this device to a carnet: show its QR to a device that holds it, or type the holder code.

    Example: eata wallet join 883 --png join.png
    """
    from eata_host.files import write_picture
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    from eata_clients.commands.session import run
    from eata_clients.holder.devices import Devices
    from eata_clients.holder.wallet import Wallet

    if code:
        given = secret("Holder code")
        qr = read_code(given if ":" in given or " " in given else f"{carnet} {given}", CodeKind.HOLDER)
        joined = run(network, None, lambda transport: Devices(Wallet(home, transport)).join(qr))
        data = {"carnet_id": joined.carnet.carnet_id, "number": joined.carnet.number}
        say(data, as_json, f"{joined.carnet.number} is on this device too.")
        return
    request = run(network, None, lambda transport: Devices(Wallet(home, transport)).request(carnet))
    if png is not None:
        write_picture(png, request.text)
    said = "Show this QR on your first phone: it reads it with `eata wallet admit`. Then `eata wallet show` opens the carnet."
    say({"carnet_id": request.carnet_id, "text": request.text}, as_json, request.text, said)


@wallet_app.command()
def admit(home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Hand a carnet of this device to another: give the other one's QR text (`eata wallet join`) on standard input."""
    from eata_ledger.log.keys import key_id

    from eata_clients.authoring.devices import Request
    from eata_clients.commands.session import run
    from eata_clients.holder.devices import Devices
    from eata_clients.holder.wallet import Wallet

    request = Request.read(answer("The other device's QR"))
    done = run(network, None, lambda transport: Devices(Wallet(home, transport)).admit(request))
    kid = key_id(request.device_key).hex()
    data = {"carnet_id": request.carnet_id, "device": kid, **standing(done)}
    say(data, as_json, line(done, f"Device {kid} holds carnet {request.carnet_id} too."), _GIVES)


@wallet_app.command()
def devices(carnet: CarnetId, home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """The devices of a carnet, and which admitted which."""
    from eata_ledger.log.keys import key_id

    from eata_clients.commands.session import run
    from eata_clients.holder.devices import Devices
    from eata_clients.holder.keystore import Keystore
    from eata_clients.holder.wallet import Wallet

    found = run(network, None, lambda transport: Devices(Wallet(home, transport)).all(carnet))
    own = Keystore(home).kept(carnet).keys.sign.id
    rows = [
        {"device": (kid := key_id(one.key)).hex(), "this_one": kid == own, "revoked": one.revoked is not None,
         "admitted_by": one.admitted_by.hex() if one.admitted_by else None, "index": one.entry}
        for one in found
    ]  # fmt: skip
    lines = [
        str(row["device"]) + (" (this one)" if row["this_one"] else "") + (" REVOKED" if row["revoked"] else "")
        + (f", admitted by {row['admitted_by']}" if row["admitted_by"] else "")
        for row in rows
    ]  # fmt: skip
    say(rows, as_json, *lines)


@wallet_app.command()
def revoke(
    carnet: CarnetId, home: WalletHome, network: Network,
    device: Annotated[list[str] | None, typer.Argument(help="Key ids of the devices that are lost, as `devices` shows them; none: the holder code alone is lost.")] = None,
    with_admitted: Annotated[bool, typer.Option("--with-admitted", help="Also the devices that these have admitted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask which devices stay.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Take lost devices back: they read and sign nothing more, and every open voucher gets new codes.

    Example: eata wallet revoke 883 0123456789abcdef0123456789abcdef
    """
    from eata_clients.commands.session import run
    from eata_clients.holder.devices import Devices, agreed
    from eata_clients.holder.wallet import Wallet

    lost, shown = [_key_id(text) for text in device or ()], _Shown(as_json)

    async def work(transport: Any) -> Any:
        asked = yes or as_json or not at_terminal()
        return await Devices(Wallet(home, transport)).revoke(
            carnet, lost, with_admitted, shown, agreed if asked else _agree
        )

    found = run(network, None, work)
    renewed = [{"old": old, "new": new} for old, new in sorted(found.renewed.items())]
    staying = [kid.hex() for kid in found.staying]
    data = {"carnet_id": carnet, "holder_code": shown.code, "staying": staying, "renewed": renewed,
            "still_void": found.failed, **standing(found.done)}  # fmt: skip
    said = [f"stays: {kid}" for kid in staying]
    said += [f"slot {one['old']} is slot {one['new']} now: show its new code" for one in renewed]
    said += (
        [f"Open vouchers are void still ({found.failed}): run `eata wallet renew-voided {carnet}`."]
        if found.failed
        else []
    )
    say(data, as_json, line(found.done, "Taken back."), *said, _NEW_PIN)


def _agree(falling: list[bytes], staying: list[bytes]) -> bool:
    """At a terminal: whoever stays gets the new keys, so its owner looks first."""
    for word, devices in (("falls", falling), ("stays", staying)):
        for kid in devices:
            typer.echo(f"{word}: {kid.hex()}")
    return typer.confirm("Are these the right ones?")


@wallet_app.command("renew-voided")
def renew_voided(carnet: CarnetId, home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """New codes for the vouchers that taking a device back has made void, where that did not end."""
    from eata_clients.commands.session import run
    from eata_clients.holder.devices import Devices
    from eata_clients.holder.wallet import Wallet

    found = run(network, None, lambda transport: Devices(Wallet(home, transport)).renew_voided(carnet))
    renewed = [{"old": old, "new": new} for old, new in sorted(found.items())]
    said = (f"slot {one['old']} is slot {one['new']} now: show its new code" for one in renewed)
    say({"carnet_id": carnet, "renewed": renewed}, as_json, *said, f"{len(renewed)} renewed.")


@wallet_app.command("share-carnet")
def share_carnet(carnet: CarnetId, as_json: Annotated[bool, JSON] = False) -> None:
    """One QR text that hands the whole carnet over (APP-24): give the holder code on standard input."""
    from eata_ledger.proof.qr import read_code
    from eata_ledger.seal.codes import CodeKind

    qr = read_code(f"{carnet} {secret('Holder code')}", CodeKind.HOLDER)
    said = "The other device reads it with `eata wallet join --code`."
    say({"text": qr.text, "warning": _GIVES}, as_json, _GIVES, qr.text, said)


def _key_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise Malformed("a device is named by the 32 hex digits of its key id")
    return found
