"""Checks an evidence bundle with nothing but Python and the `cryptography` package: no network, no trust in its maker.

    python3 verify.py bundle.json LEDGER

LEDGER is the ledger's identity, 64 hex digits: the SHA-256 of its genesis file, as ICC publishes it. Every claim is
recomputed: who the nodes are (root signatures from genesis on, each decision proved to stand in the ledger), that more than
half of them signed the checkpoint, that each transaction is a leaf under it, that its public facts and its signed header are
those of that leaf, that more than half of the nodes of its day or of a later one say whether it stands, and that the
counterfoil shown is the one that was sealed. Exit 0 if all of it holds, 1 with the reason if not.
"""

import base64
import hashlib
import hmac
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KINDS = {1: "VALIDATION", 2: "PRE_EXPORTATION", 3: "EXPORTATION", 4: "IMPORTATION", 5: "REEXPORTATION",
         6: "REIMPORTATION", 7: "TRANSIT_OPEN", 8: "TRANSIT_CLOSE"}  # fmt: skip
STATEMENT, COUNTERFOIL, COMMIT = 2, 4, 20
REGISTER_NODE, ROTATE_OPERATIONS, ROTATE_ROOT, REMOVE_NODE = 6, 61, 62, 68


class Wrong(Exception):
    """The evidence does not hold; the text says why."""


def require(holds: bool, why: str) -> None:
    if not holds:
        raise Wrong(why)


# -- deterministic CBOR (RFC 8949 §4.2.1): what is not in its one form is refused by encoding it again


def encode(value: Any) -> bytes:
    if value is None or isinstance(value, bool):
        return b"\xf6" if value is None else b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(encode(item) for item in value)
    pairs = sorted((encode(key), encode(item)) for key, item in value.items())
    return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise Wrong("a number is too large")


def decode(data: bytes) -> Any:
    value, rest = _item(data, 0)
    require(rest == len(data) and encode(value) == data, "a CBOR value is not in its one form")
    return value


def _item(data: bytes, at: int, depth: int = 0) -> tuple[Any, int]:
    require(at < len(data) and depth < 32, "a CBOR value is cut short")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        require(low in (20, 21, 22), "a CBOR value is of a kind not used here")
        return {20: False, 21: True, 22: None}[low], at
    if low >= 24:
        require(low <= 27, "a CBOR length is of a kind not used here")
        size = 1 << (low - 24)
        low, at = int.from_bytes(data[at : at + size], "big"), at + size
    if major < 2:
        return low if major == 0 else -1 - low, at
    if major < 4:
        require(at + low <= len(data), "a CBOR value is cut short")
        raw = data[at : at + low]
        return raw if major == 2 else raw.decode(), at + low
    require(major < 6 and low <= len(data), "a CBOR value is of a kind not used here")
    items = []
    for _ in range(low * (2 if major == 5 else 1)):
        item, at = _item(data, at, depth + 1)
        items.append(item)
    return (items, at) if major == 4 else (dict(zip(items[::2], items[1::2], strict=True)), at)


# -- keys and signatures


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def signed_by(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id(public: bytes) -> bytes:
    return sha256(encode(["eata/v1/key", 1, public]))[:16]


def pae(kind: bytes, body: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def header_message(header: bytes) -> bytes:
    return pae(b"application/vnd.eata.entry.v1+cbor", header)


class Charter:
    """The nodes' statement keys by name and the root, followed from genesis through what the root signed.

    `reigns` are the node sets so far, each with the ledger index of the decision that brought it.
    """

    def __init__(self, genesis: bytes, ledger: bytes, entries: list[dict[str, Any]]) -> None:
        require(sha256(genesis) == ledger, "the genesis is not the one of this ledger")
        fields = decode(genesis)
        self.ledger, self.roots, self.threshold, self.serial = ledger, list(fields[3]), fields[4], 0
        self.nodes = {node[0]: _statement_key(node) for node in fields[6]}
        self.reigns = [(-1, dict(self.nodes))]
        self._leaves = [(bytes.fromhex(e["leaf"]), [bytes.fromhex(step) for step in e["inclusion"]]) for e in entries]
        for entry, (leaf, _) in zip(entries, self._leaves, strict=True):
            self._follow(entry, leaf)

    def _follow(self, entry: dict[str, Any], leaf: bytes) -> None:
        data = bytes.fromhex(entry["header"])
        header = decode(data)
        require(header[1] == self.ledger, "a root decision is of another ledger")
        self._require_root(self.roots, self.threshold, data, entry["signatures"])
        self.serial += 1
        require(header[9][0] == self.serial, "root decisions are left out or in another order")
        if header[2] == REGISTER_NODE:
            _, node = header[9]
            self.nodes[node[0]] = _statement_key(node)
        elif header[2] == REMOVE_NODE:
            del self.nodes[header[9][1]]
        elif header[2] == ROTATE_ROOT:
            _, keys, threshold = header[9]
            self._require_root(keys, threshold, data, entry["signatures"])
            self.roots, self.threshold = keys, threshold
        else:
            require(header[2] == ROTATE_OPERATIONS, "a root decision is of an unknown kind")
        require(len(leaf) == 119 and leaf[17:49] == sha256(header_message(data)), "a root decision has another leaf")
        require(leaf[53:55] == bytes(2), "the log refused a root decision")
        since = int.from_bytes(leaf[1:9], "big")
        require(since > self.reigns[-1][0], "root decisions are not in ledger order")
        self.reigns.append((since, dict(self.nodes)))

    @staticmethod
    def _require_root(keys: list[bytes], threshold: int, header: bytes, signatures: list[list[str]]) -> None:
        given = {bytes.fromhex(kid): bytes.fromhex(value) for kid, value in signatures}
        message = header_message(header)
        good = sum(signed_by(key, given.get(key_id(key), b""), message) for key in set(keys))
        require(good >= threshold >= 1, "a root decision is not signed by enough root keys")

    def require_in_tree(self, size: int, root: bytes) -> None:
        """Every decision stands in the ledger where its leaf says."""
        for leaf, path in self._leaves:
            check_inclusion(leaf, int.from_bytes(leaf[1:9], "big"), size, path, root)

    @property
    def enough(self) -> int:
        """More than half of the nodes of today."""
        return len(self.nodes) // 2 + 1

    def able(self, index: int) -> list[dict[str, bytes]]:
        """The node sets that may speak of an entry: that of its day, and all later ones."""
        ends = [since for since, _ in self.reigns[1:]]
        return [
            nodes for (_, nodes), end in zip(self.reigns, [*ends, None], strict=True) if end is None or end >= index
        ]


def _statement_key(node: list[Any]) -> bytes:
    return bytes(next(key[2] for key in node[1] if key[0] == STATEMENT))


# -- checkpoint and tree (C2SP tlog-checkpoint, RFC 6962)


def check_note(text: str, charter: Charter) -> tuple[int, bytes, int, set[str]]:
    """(size, root, era, names of the nodes that signed it)."""
    body, _, tail = text.partition("\n\n")
    origin, size, root = body.split("\n")
    prefix, ledger, era = origin.split("/")
    require(prefix == "eata" and ledger == charter.ledger.hex(), "the checkpoint is of another ledger")
    names = set()
    for line in tail.splitlines():
        mark, name, value = line.split(" ")
        blob = base64.b64decode(value, validate=True)
        key = charter.nodes.get(name)
        if mark != "—" or key is None or blob[:4] != sha256(name.encode() + b"\n\x01" + key)[:4]:
            continue
        if signed_by(key, blob[4:], (body + "\n").encode()):
            names.add(name)
    require(len(names) >= charter.enough, f"{len(names)} nodes signed the checkpoint, {charter.enough} must")
    return int(size), base64.b64decode(root, validate=True), int(era), names


def check_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    require(0 <= index < size, "the leaf is beyond the checkpoint")
    node, last, digest = index, size - 1, sha256(b"\x00" + leaf)
    for sibling in path:
        require(last > 0, "the inclusion proof is too long")
        if node % 2 or node == last:
            digest = sha256(b"\x01" + sibling + digest)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            digest = sha256(b"\x01" + digest + sibling)
        node, last = node >> 1, last >> 1
    require(last == 0 and digest == root, "the transaction is not in the tree that the nodes signed")


# -- one transaction


def check_transaction(
    found: dict[str, Any], charter: Charter, note: tuple[int, bytes, int, set[str]]
) -> dict[str, Any]:
    size, root, _, _ = note
    outer = decode(bytes.fromhex(found["statement"]))
    claim = decode(outer[2])
    prefix, _, index, log_time, entry_hash, rules, outcome, facts, effects, at_index, standing = claim
    require(prefix == charter.ledger[:8], "a receipt is of another ledger")
    leaf = (
        b"\x01" + index.to_bytes(8, "big") + log_time.to_bytes(8, "big") + entry_hash + rules.to_bytes(4, "big")
        + outcome.to_bytes(2, "big") + sha256(encode(facts)) + effects
    )  # fmt: skip
    check_inclusion(leaf, index, size, [bytes.fromhex(step) for step in found["inclusion"]], root)
    require(outcome == 0, "the entry was refused")
    require(index == found["index"], "a receipt is of another index than the bundle says")
    signers = _signers(outer, charter, index)
    header = bytes.fromhex(found["header"])
    require(sha256(header_message(header)) == entry_hash, "the header is not the entry's")
    require(decode(header)[2] == COMMIT and facts[0] == COMMIT, "the entry is no transaction")
    local = datetime.fromtimestamp(facts[8] / 1000, timezone(timedelta(minutes=facts[9])))
    counterfoil = found.get("counterfoil")
    return {
        "index": index, "number": facts[1], "kind": KINDS[facts[3]], "territory": facts[4], "office": facts[5],
        "items": facts[6], "not_returned": facts[7], "time": local.isoformat(timespec="minutes"),
        "standing": "CANCELLED" if standing == 2 else "LIVE", "at_index": at_index,
        "signers": signers,
        "counterfoil": None if counterfoil is None else check_counterfoil(counterfoil, decode(header), facts),
    }  # fmt: skip


def check_counterfoil(shown: dict[str, str], header: list[Any], facts: list[Any]) -> str:
    """Opens the sealed counterfoil with the one key of this very seal, and compares it with the public facts."""
    sealed, okm = bytes.fromhex(shown["part"]), bytes.fromhex(shown["key"])
    [info] = [part for part in header[8] if part[0] == COUNTERFOIL]
    require(sha256(sealed) == info[3], "the counterfoil is not the one that was signed")
    require(hmac.compare_digest(okm[32:], sealed[33:65]), "the key shown is not the counterfoil's")
    try:
        plain = AESGCM(okm[:32]).decrypt(bytes(12), sealed[65:], None).rstrip(b"\x00")
    except InvalidTag:
        raise Wrong("the counterfoil was altered") from None
    kind, office, items, not_returned, *_ = decode(plain[:-1])
    agrees = (kind, office, _ranges(items), _ranges(not_returned)) == (facts[3], facts[5], facts[6], facts[7])
    require(agrees, "the counterfoil says something else than the ledger")
    return f"{KINDS[kind]} of {_ranges(items)} at {office}"


def _ranges(items: Any) -> str:
    """Items as people write them, from ranges or from a bit string whose bit n is item n."""
    if isinstance(items, bytes):
        bits, numbers = int.from_bytes(items, "big"), []
        while bits:
            low = (bits & -bits).bit_length() - 1
            numbers.append(low)
            bits &= bits - 1
        items = []
        for number in numbers:
            if items and items[-1][1] == number - 1:
                items[-1][1] = number
            else:
                items.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in items)


def _signers(outer: list[Any], charter: Charter, index: int) -> list[str]:
    """The nodes whose own signature stands on the receipt: more than half of one node set of its day or later."""
    best: list[str] = []
    for nodes in charter.able(index):
        kids = {key_id(key)[:8]: (name, key) for name, key in nodes.items()}
        found = set()
        for protected, _, signature in outer[3]:
            kid = decode(protected).get(4)
            message = encode(["Signature", b"", protected, b"", outer[2]])
            if kid in kids and signed_by(kids[kid][1], signature, message):
                found.add(kids[kid][0])
        if len(found) > len(nodes) // 2:
            return sorted(found)
        best = max(best, sorted(found), key=len)
    raise Wrong(f"{len(best)} nodes signed whether it stands: not more than half")


def check_bundle(bundle: dict[str, Any], ledger: bytes) -> dict[str, Any]:
    """What the bundle proves. Raises `Wrong`."""
    require(bundle.get("format") == "eata-evidence-1", "not an evidence bundle of a form known here")
    charter = Charter(bytes.fromhex(bundle["genesis"]), ledger, bundle["charter"])
    note = check_note(bundle["checkpoint"], charter)
    charter.require_in_tree(note[0], note[1])
    transactions = [check_transaction(found, charter, note) for found in bundle["transactions"]]
    indexes = [found["index"] for found in transactions]
    require(indexes == sorted(set(indexes)), "transactions are not in ledger order, each once")
    require(len({found["number"] for found in transactions}) <= 1, "the transactions are of several carnets")
    return {"size": note[0], "nodes": sorted(note[3]), "transactions": transactions}


def read_bundle(path: str) -> dict[str, Any]:
    """From a zip file's bundle.json, or from a JSON file."""
    import zipfile

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            require(archive.getinfo("bundle.json").file_size < 64 << 20, "the bundle is larger than 64 MB")
            data = archive.read("bundle.json")
    else:
        with open(path, "rb") as file:
            data = file.read(64 << 20)
    found = json.loads(data)
    require(isinstance(found, dict), "not an evidence bundle")
    return dict(found)


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__)
        return 2
    try:
        proved = check_bundle(read_bundle(arguments[0]), bytes.fromhex(arguments[1]))
    except Wrong as error:
        print(f"NOT GOOD: {error}")
        return 1
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        print(f"NOT GOOD: the bundle does not read ({type(error).__name__})")
        return 1
    for found in proved["transactions"]:
        print(f"{found['index']:>8} {found['time']} {found['kind']} {found['items']} {found['territory']} {found['office']}"
              f" {found['standing']}; receipt of {len(found['signers'])} nodes")  # fmt: skip
    count = len(proved["transactions"])
    print(f"good: {count} transactions of {proved['size']:,} entries, signed by {len(proved['nodes'])} nodes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
