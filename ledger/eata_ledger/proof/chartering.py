"""Following the charter: entries by which the root changes itself or the node set, judged from genesis down.

For whoever does not run `apply`: clients, trust files, the log engine. Replicas take the charter from their facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from eata_ledger.encoding import Malformed
from eata_ledger.proof.bodies import EntryType, RegisterNode, RotateRoot
from eata_ledger.proof.entry import Header
from eata_ledger.proof.genesis import Charter, Genesis
from eata_ledger.proof.keys import key_id, verify
from eata_ledger.record import KEY_ID, Record, array, blob, f, nested

# [1, ledger (32 bytes), type, …]: the type follows 36 bytes of array head, version and ledger.
_TYPE_AT = 36
_TYPES = (bytes([EntryType.REGISTER_NODE]), bytes([0x18, EntryType.ROTATE_ROOT]))


@dataclass(frozen=True)
class CharterSignature(Record):
    """Key id and Ed25519 signature."""

    key_id: bytes = f(KEY_ID)
    value: bytes = f(blob(64))


@dataclass(frozen=True)
class CharterEntry(Record):
    """A charter entry as trust files carry it: header bytes and signatures."""

    header: bytes = f(blob(1, 32 * 1024))
    signatures: tuple[CharterSignature, ...] = f(array(nested(CharterSignature), 8))

    @property
    def by_key(self) -> dict[bytes, bytes]:
        return {signature.key_id: signature.value for signature in self.signatures}


def declares(header: bytes) -> bool:
    """True if an entry header is one that changes the charter; reads a few bytes."""
    return header.startswith(_TYPES, _TYPE_AT)


def follow(charter: Charter, header: Header, signatures: Mapping[bytes, bytes]) -> Charter:
    """The charter after such an entry. Raises `Malformed` unless enough root keys signed it."""
    if header.ledger != charter.ledger:
        raise Malformed("a charter entry of another ledger")
    _require(charter.root_keys, charter.root_threshold, header, signatures)
    match header.body:
        case RegisterNode(serial, _) | RotateRoot(serial, _, _) if serial != charter.serial + 1:
            raise Malformed(f"the root's decision {serial} does not follow {charter.serial}")
        case RegisterNode(_, node):
            return charter.with_node(node)
        case RotateRoot(_, keys, threshold):
            if not 1 <= threshold <= len(set(keys)) == len(keys):
                raise Malformed("the root threshold is not met by the root keys")
            _require(keys, threshold, header, signatures)
            return replace(charter, root_keys=keys, root_threshold=threshold, serial=charter.serial + 1)
        case _:
            raise Malformed("not a charter entry")


def follow_all(genesis: Genesis, entries: tuple[CharterEntry, ...]) -> Charter:
    """From genesis through charter entries in ledger order. Raises `Malformed`."""
    charter = genesis.charter
    for entry in entries:
        charter = follow(charter, Header.from_bytes(entry.header), entry.by_key)
    return charter


def signed_by_enough(
    keys: tuple[bytes, ...], threshold: int, header: Header, signatures: Mapping[bytes, bytes]
) -> bool:
    """True if at least `threshold` of these keys signed the header."""
    signed = header.signed
    good = sum(verify(key, signatures.get(key_id(key), b""), signed) for key in set(keys))
    return good >= threshold >= 1


def _require(keys: tuple[bytes, ...], threshold: int, header: Header, signatures: Mapping[bytes, bytes]) -> None:
    if not signed_by_enough(keys, threshold, header, signatures):
        raise Malformed(f"fewer than {threshold} root keys signed")
