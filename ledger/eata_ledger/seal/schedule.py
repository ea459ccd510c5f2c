"""The key schedule that makes visibility true (domain §2.10, U9).

    J_1024 = HKDF(H, ["eata/v1/journal", ledger, ID]);  J_{s-1} = HMAC(J_s, ["back"]);  L_s = HMAC(J_s, ["leaf"])

J_s opens slots 1 to s and nothing later; L_s opens slot s alone. A new root H' serves the slots from `first` on; a link,
sealed under HMAC(J'_first, ["link"]), hands J_first of the root before it to whoever has J'_first or a later one.
"""

from eata_ledger.carnet.vocabulary import ARRIVALS, Kind
from eata_ledger.seal.kdf import derive, mac
from eata_ledger.seal.stanza import Keys, keys

SLOTS = 1024


def journal_key(root: bytes, ledger: bytes, carnet_id: int, slot: int) -> bytes:
    """J_slot from the holder root H."""
    return earlier(derive(root, ["eata/v1/journal", ledger, carnet_id]), SLOTS, slot)


def earlier(journal: bytes, at: int, slot: int) -> bytes:
    """J_slot from J_at, for 1 ≤ slot ≤ at."""
    if not 1 <= slot <= at <= SLOTS:
        raise ValueError("a journal key opens its own and earlier slots only")
    return mac(journal, ["back"], at - slot)


def leaf_key(journal: bytes) -> bytes:
    """L_s from J_s."""
    return mac(journal, ["leaf"])


def link_key(journal: bytes) -> bytes:
    """Seals the link to the root before, from the later root's J at its first slot."""
    return mac(journal, ["link"])


def kept_key(root: bytes, ledger: bytes, carnet_id: int) -> bytes:
    """Seals what every device of a root has in common: the content key, earlier roots."""
    return derive(root, ["eata/v1/kept", ledger, carnet_id])


def final_key(content: bytes) -> bytes:
    """Seals the re-importation's counterfoil for everyone who had the content key."""
    return derive(content, ["final"])


def packet(kind: Kind, content: bytes, journal: bytes) -> Keys:
    """What a voucher's code opens: the past for arrivals, this slot alone for the others."""
    if kind in ARRIVALS:
        return keys(content=content, journal=journal)
    return keys(content=content, leaf=leaf_key(journal))


def verify_key_seed(root: bytes, ledger: bytes, carnet_id: int, slot: int) -> bytes:
    """The X25519 secret against which nodes answer verification codes."""
    return derive(root, ["eata/v1/verify", ledger, carnet_id, slot])
