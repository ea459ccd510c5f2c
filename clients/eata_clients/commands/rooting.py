"""`eata root`: what the ICC root decides, each keeper signing at their own machine, nothing sent before the end."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from eata_host.console import JSON, say
from eata_host.faults import Fault
from eata_host.files import read_bounded
from eata_ledger.encoding import Malformed

from eata_clients.commands.options import Network
from eata_clients.commands.standing import line, standing

if TYPE_CHECKING:
    from eata_ledger.log.bodies import Body
    from eata_ledger.log.entry import Entry

_app = typer.Typer(help="The ICC root: its own keys, and the node set.", no_args_is_help=True)
_Key = Annotated[Path, typer.Option(help="One keeper's root key file.")]
_Out = Annotated[Path, typer.Option(help="The decision's file, passed from keeper to keeper.")]
_File = Annotated[Path, typer.Argument(help="A decision's file.")]


def register(app: typer.Typer) -> None:
    app.add_typer(_app, name="root")


def _write(path: Path, entry: "Entry") -> None:
    from eata_ledger.wire import entry_to_proto

    path.write_bytes(entry_to_proto(entry).SerializeToString())


def _read(path: Path) -> "Entry":
    from eata_ledger.log.bodies import ActivateRules
    from eata_ledger.log.chartering import Decision
    from eata_ledger.wire import entry_from_proto
    from eata_proto.v1 import ledger_pb2
    from google.protobuf.message import DecodeError

    try:
        entry = entry_from_proto(ledger_pb2.Entry.FromString(read_bounded(path, 64 * 1024)))
    except DecodeError:
        raise Malformed(f"{path.name} is not a decision of the root") from None
    if not isinstance(entry.header.body, Decision | ActivateRules):
        raise Malformed(f"{path.name} is not a decision of the root")
    return entry


def _propose(network: Path, key: Path, make: "Callable[[int], Body]", out: Path) -> "Entry":
    """`make` takes the decision's serial number, the one after the last that the ledger holds."""
    from eata_host.vault import read_key
    from eata_ledger.log.keys import SigningKey

    from eata_clients.authoring.rooting import propose
    from eata_clients.commands.session import run
    from eata_clients.net.transport import now
    from eata_clients.trust.registry_pages import fetch

    if out.exists():
        raise Fault(
            "EXISTS",
            f"{out.name} is there already.",
            "A decision with signatures is not overwritten; give another name.",
        )
    charter = run(network, None, fetch).charter
    keeper = SigningKey(read_key(key))
    if keeper.id not in charter.root_ids:
        raise Fault("KEY_UNKNOWN", "This is no key of the root.", "Use a keeper's own key file.")
    entry = propose(charter.ledger, keeper, make(charter.serial + 1), now())
    _write(out, entry)
    return entry


def _said(entry: "Entry", as_json: bool, path: Path) -> None:
    text, signed = _in_words(entry), len(entry.signatures)
    say({"file": str(path), "decision": text, "signatures": signed}, as_json, text, f"{signed} signed so far.")


def _in_words(entry: "Entry") -> str:
    """What the keepers sign, for a person."""
    from eata_ledger.log import bodies

    match entry.header.body:
        case bodies.ActivateRules(rules):
            return f"Rules {rules} come into force."
        case bodies.RegisterNode(serial, node):
            return f"Decision {serial}: node {node.name} gets the keys {node.id.hex()}."
        case bodies.RemoveNode(serial, name):
            return f"Decision {serial}: node {name} is removed and counts nowhere any more."
        case bodies.RotateOperations(serial, key):
            return f"Decision {serial}: ICC operations get the key {key.hex()}."
        case bodies.RotateRoot(serial, keys, threshold):
            return f"Decision {serial}: the root becomes {threshold} of {len(keys)} keys."
    raise AssertionError("read as a decision")


@_app.command("node")
def node(
    record: Annotated[Path, typer.Argument(help="The node's public record (`eata node-keys`).")], network: Network,
    key: _Key, out: _Out, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Propose a node's keys: a new node, or new keys for one whose keys have leaked."""
    from eata_ledger.log.bodies import RegisterNode
    from eata_ledger.log.genesis import NodeRecord

    found = NodeRecord.from_bytes(read_bounded(record, 16 * 1024))
    _said(_propose(network, key, lambda serial: RegisterNode(serial, found), out), as_json, out)


@_app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The node's name.")], network: Network,
    key: _Key, out: _Out, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Propose that a node is removed: more than half is counted among those that stay."""
    from eata_ledger.log.bodies import RemoveNode

    _said(_propose(network, key, lambda serial: RemoveNode(serial, name), out), as_json, out)


@_app.command("operations")
def operations(
    new: Annotated[str, typer.Argument(help="The new public key, 64 hex digits (`eata root new-key`).")],
    network: Network, key: _Key, out: _Out, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Propose another key for ICC operations; what the old one registered stays."""
    from eata_ledger.log.bodies import RotateOperations

    [public] = _public_keys([new])
    _said(_propose(network, key, lambda serial: RotateOperations(serial, public), out), as_json, out)


def _public_keys(texts: list[str]) -> tuple[bytes, ...]:
    try:
        keys = tuple(bytes.fromhex(text) for text in texts)
    except ValueError:
        keys = ()
    if len(keys) != len(texts) or any(len(found) != 32 for found in keys):
        raise Malformed("a public key is 64 hex digits")
    return keys


@_app.command("rules")
def rules(
    version: Annotated[int, typer.Argument(min=1, help="The rules to bring into force.")], network: Network,
    key: _Key, out: _Out, as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Propose later rules; refused unless every registered node has announced that it knows them."""
    from eata_ledger.log.bodies import ActivateRules
    from eata_ledger.rules import VERSION

    if version > VERSION:
        said = f"This build knows the rules up to {VERSION}, not {version}."
        raise Fault("RULES_UNKNOWN", said, "Update this computer and the nodes first, or name the right rules.")
    _said(_propose(network, key, lambda _: ActivateRules(version), out), as_json, out)


@_app.command("rotate")
def rotate(
    network: Network, key: _Key, out: _Out,
    threshold: Annotated[int, typer.Option(min=1, max=8, help="How many of the new keys must sign.")],
    new: Annotated[list[str], typer.Option(help="A new root key, 64 hex digits (`eata root new-key`); again for more.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:  # fmt: skip
    """Propose new root keys; enough of the old and enough of the new keepers sign."""
    from eata_ledger.log.bodies import RotateRoot

    keys = _public_keys(new)
    if len(set(keys)) != len(keys) or threshold > min(len(keys), 4):
        raise Malformed("a root is at most 4 of at most 8 keys, each once")
    _said(_propose(network, key, lambda serial: RotateRoot(serial, keys, threshold), out), as_json, out)


@_app.command("new-key")
def new_key(
    out: Annotated[Path, typer.Option(help="Where to keep it, locked; on a medium of its own.")],
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Make a keeper's key; prints its public half."""
    import os

    from eata_host.vault import write_locked
    from eata_ledger.log.keys import SigningKey

    if out.exists():
        raise Fault("EXISTS", f"{out.name} is there already.", "Keys are never overwritten; give another name.")
    made = SigningKey(os.urandom(32))
    write_locked(out, made.seed)
    say({"key": made.public.hex(), "file": str(out)}, as_json, made.public.hex())


@_app.command("sign")
def sign(file: _File, key: _Key, as_json: Annotated[bool, JSON] = False) -> None:
    """Add one keeper's signature to a decision; needs no network. Read what it says first."""
    from eata_host.vault import read_key
    from eata_ledger.log.keys import SigningKey

    from eata_clients.authoring.rooting import countersign

    entry = countersign(_read(file), SigningKey(read_key(key)))
    _write(file, entry)
    _said(entry, as_json, file)


@_app.command("submit")
def submit_decision(file: _File, network: Network, as_json: Annotated[bool, JSON] = False) -> None:
    """Order a decision that enough keepers have signed."""
    from eata_clients.commands.session import run
    from eata_clients.net.receipts import Committed
    from eata_clients.net.submitting import submit
    from eata_clients.net.transport import Transport
    from eata_clients.trust.registry_pages import fetch

    entry = _read(file)

    async def work(transport: Transport) -> Committed:
        return await submit(transport, (await fetch(transport)).charter, entry)

    done = run(network, None, work)
    said = line(done, f"{_in_words(entry)} Ledger index {done.index}.")
    say({**standing(done), "decision": _in_words(entry)}, as_json, said)
