"""`eata customs prepare`, `eata customs booth`, `eata wallet cards`, `eata wallet card`: when there is no network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from eata_host.console import JSON, say, secret
from eata_host.faults import Fault
from eata_ledger.carnet.dates import iso
from eata_ledger.encoding import Malformed
from eata_ledger.proof.card import PREFIX

from eata_clients.commands.offline import read_qr
from eata_clients.commands.options import (
    CarnetId,
    DeskHome,
    Network,
    WalletHome,
    customs_app,
    sealed,
    signed_in,
    wallet_app,
)
from eata_clients.commands.terms import Accept, require_terms

if TYPE_CHECKING:
    from eata_clients.customs.booth import Booth


def register(app: typer.Typer) -> None:
    """The commands hang on `customs` and `wallet` themselves."""


def _booth(home: Path, network: Path) -> "Booth":
    from eata_clients.customs.booth import Booth
    from eata_clients.net.network import Network as NetworkFile

    return Booth(home, NetworkFile.read(network).ledger, signed_in(home))


@customs_app.command()
def prepare(home: DeskHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """While on line: fetch what the desk needs to decide with no network; also renews its age."""
    from eata_clients.commands.session import run

    booth = _booth(home, network)
    age = run(network, home, booth.prepare)
    waiting = len(booth.outbox.waiting())
    say({"days": age.days, "freshness": age.freshness.value, "queued": waiting}, as_json, f"{age}; {waiting} queued.")


@customs_app.command()
def booth(
    home: DeskHome, network: Network,
    png: Annotated[Path | None, typer.Option(help="A picture of the declaration QR; standard input if left out.")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Sign and queue it: provisional until `eata customs resend`.")] = False,
    reason: Annotated[str, sealed("Why it was decided with no network, if not just that")] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Decide from a declaration QR with no network; shows the age of what it rests on. Exit 1 for STOP."""
    from eata_clients.authoring.clearing import Decision
    from eata_clients.authoring.content import remarks
    from eata_clients.customs.booth import ALL_WARNINGS
    from eata_clients.customs.verdict import Word
    from eata_clients.net.transport import now

    desk, time = _booth(home, network), now()
    text = secret("Declaration QR") if png is None else read_qr(png, PREFIX)
    sight = desk.look(text, time)
    verdict, facts, prepared = desk.verdict(sight, time), sight.card.facts, sight.presented
    queued = ""
    if commit and verdict.word is Word.LOOK and not reason:
        raise Fault(
            "REASON_REQUIRED",
            f"{verdict.sentence} ({verdict.code})",
            f"{verdict.advice} Then --reason FILE says why it was taken.",
        )
    if commit and verdict.word is not Word.STOP:
        notes = remarks(reason=reason or "no network at the desk")
        decision = Decision(prepared.items, prepared.not_returned, acknowledged=ALL_WARNINGS, remarks=notes)
        queued = desk.commit(sight, decision, time).hash.hex()
    data = {
        "word": verdict.word.value, "code": verdict.code, "sentence": verdict.sentence, "carnet_id": facts.carnet_id,
        "number": facts.number, "kind": prepared.kind.name, "territory": prepared.territory,
        "items": str(prepared.items), "valid_until": iso(facts.valid_until), "test": facts.test,
        "proof": sight.proof.why, "prepared_at": sight.as_of, "trust_days": sight.age.days,
        "freshness": sight.age.freshness.value, "queued": queued, "waiting": len(desk.outbox.waiting()),
    }  # fmt: skip
    say(
        data, as_json,
        f"{verdict.word.value} {verdict.code}".strip() + f": {verdict.sentence} {verdict.advice}",
        f"{prepared.kind.name} of {prepared.items}, {facts.number}, valid until {iso(facts.valid_until)}",
        f"{sight.proof.why}; {sight.age}",
        *([f"PROVISIONAL: queued, {data['waiting']} waiting."] if queued else []),
    )  # fmt: skip
    raise typer.Exit(1 if verdict.word is Word.STOP else 0)


@wallet_app.command()
def cards(carnet: CarnetId, home: WalletHome, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """While on line: fetch the proofs of the carnet's open declarations, for `eata wallet card`."""
    from eata_clients.commands.session import run
    from eata_clients.holder.wallet import Wallet

    slots = run(network, None, lambda transport: Wallet(home, transport).cards(carnet))
    say({"slots": slots}, as_json, f"Cards for slots {', '.join(map(str, slots)) or 'none'}.")


@wallet_app.command()
def card(
    carnet: CarnetId, slot: Annotated[int, typer.Argument(min=1, max=1024, help="Voucher slot.")], home: WalletHome,
    png: Annotated[Path | None, typer.Option(help="Also write the QR picture here.")] = None,
    accept: Accept = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Show a declaration's self-proving QR (works offline); it holds the code: show it to Customs only."""
    import io

    import segno
    from eata_host.files import write_secret

    from eata_clients.holder.keystore import Keystore

    wallet = Keystore(home)
    wallet.kept(carnet)
    require_terms(wallet, carnet, accept, as_json)
    text = wallet.card(carnet, slot).text
    try:
        made = segno.make(text, error="m", micro=False)
    except segno.DataOverflowError:
        raise Malformed("the travel has too many vouchers for one QR code") from None
    if png is not None:
        picture = io.BytesIO()
        made.save(picture, kind="png", scale=6)
        write_secret(png, picture.getvalue())  # it holds the code
    modules = made.symbol_size()[0] - 8
    say({"text": text, "modules": modules}, as_json, text)
