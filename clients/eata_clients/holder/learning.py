"""What a holder's device learns from the ledger: that it is admitted, a new root, a new content key."""

from dataclasses import replace

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.seal.aead import CannotOpen, Context
from eata_ledger.seal.stanza import Keys
from eata_ledger.state import Carnet, Holder
from eata_proto.v1 import reading_pb2

from eata_clients.authoring.devices import DeviceKeys, Shared, opened_root, opened_shared
from eata_clients.authoring.holding import RootKey
from eata_clients.holder.keystore import KeptCarnet
from eata_clients.net.errors import EataError, Untrusted
from eata_clients.opened.parts import Excerpts, Sealed


def learned(
    kept: KeptCarnet | None, own: DeviceKeys, carnet: Carnet, reply: reading_pb2.CarnetReply, excerpts: Excerpts
) -> KeptCarnet:
    """What a device keeps now; `kept` is what it had, None on its first look. Raises `Untrusted`."""
    holder = Holder.from_bytes(reply.holder)
    if kept is not None and holder.root < kept.roots[-1].number:
        raise Untrusted("a holder root was taken back")
    if kept is None or kept.roots[-1].number != holder.root:
        kept = with_root(own, carnet, holder, _root(own, carnet, holder, excerpts), excerpts)
    if kept.content_version != carnet.content:
        kept = _amended(kept, carnet, holder, excerpts)
    return kept


def with_root(own: DeviceKeys, carnet: Carnet, holder: Holder, root: bytes, excerpts: Excerpts) -> KeptCarnet:
    """What the root in force opens. Raises `Untrusted`."""
    shared, ledger = _shared(root, carnet, holder, excerpts), excerpts.ledger
    roots = (*shared.roots, RootKey(holder.root, holder.roots[-1].first, root))
    return KeptCarnet(
        ledger, carnet.carnet_id, shared.content_version, own.sign.seed, own.seal.seed, shared.content_key,
        shared.pin_wrap, roots,
    )  # fmt: skip


def under_code(key: bytes, carnet: Carnet, holder: Holder, excerpts: Excerpts) -> bytes:
    """The root that the holder code's wrapping key opens. Raises `Untrusted`."""
    part = excerpts.find(Label.HOLDER_STANZA, holder.roots[-1].entry)
    if part is None:
        raise Untrusted("the holder stanza is missing")
    try:
        return opened_root(key, _place(part, carnet), part.value)
    except (CannotOpen, Malformed) as error:
        raise Untrusted(str(error)) from None


def _root(own: DeviceKeys, carnet: Carnet, holder: Holder, excerpts: Excerpts) -> bytes:
    """The root in force, as another device has sealed it to this one."""
    me = key_id(own.seal.public, Algorithm.XWING)
    for part in reversed(excerpts.every(Label.STANZA)):
        if part.info.recipient == me and part.info.slot == holder.root:
            try:
                opened: Keys = own.seal.open(_place(part, carnet), me, part.header.author, part.value)
            except CannotOpen as error:
                raise Untrusted(str(error)) from None
            if opened.holder_root is not None:
                return opened.holder_root
    raise EataError(
        "ROOT_MISSING", "No device has handed this one the carnet's keys.",
        "Type the holder code (`eata wallet join --code`).",
    )  # fmt: skip


def _shared(root: bytes, carnet: Carnet, holder: Holder, excerpts: Excerpts) -> Shared:
    part = excerpts.find(Label.KEPT, holder.kept)
    if part is None:
        raise Untrusted("the devices' common keys are missing")
    try:
        return opened_shared(root, _place(part, carnet), part.value)
    except (CannotOpen, Malformed) as error:
        raise Untrusted(str(error)) from None


def _amended(kept: KeptCarnet, carnet: Carnet, holder: Holder, excerpts: Excerpts) -> KeptCarnet:
    """The new content key: from the device that signed the amendment, before that under the PIN."""
    shared = _shared(kept.roots[-1].root, carnet, holder, excerpts)
    if shared.content_version == carnet.content:
        return replace(kept, content_version=carnet.content, content_key=shared.content_key, pin_wrap=shared.pin_wrap)
    part, wrap = excerpts.find(Label.PIN_STANZA), kept.pin_wrap
    try:
        opened = None if part is None or wrap is None else Keys.from_bytes(part.unsealed(wrap, carnet.carnet_id))
    except Untrusted:
        opened = None
    if opened is None or opened.content is None:
        raise EataError("PIN_CHANGED", "The issuer has made a new PIN.", "Download the carnet with it.")
    return replace(kept, content_version=carnet.content, content_key=opened.content)


def _place(part: Sealed, carnet: Carnet) -> Context:
    return Context(part.header.ledger, carnet.carnet_id, part.info.label, part.info.slot)
