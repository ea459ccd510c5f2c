"""Where to look: accepted entries by carnet, territory and issuer. Derived from the entries, no part of the truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from eata_ledger.encoding import decode_own
from eata_ledger.facts import Facts
from eata_ledger.log.bodies import Attach, Body, Disagree, EntryType, Readiness, RegisterTerritoryKey
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.state import Carnet, Office, of_territory

# What an issuer is told of: its own acts, the holder's requests, and transactions (N-07).
_FOR_ISSUERS = frozenset({
    EntryType.ISSUE, EntryType.AMEND, EntryType.ADD_SETS, EntryType.BLOCK, EntryType.UNBLOCK,
    EntryType.CANCEL_CARNET, EntryType.DISCHARGE, EntryType.ENROL_DEVICE, EntryType.SIGN, EntryType.COMMIT,
    EntryType.CANCEL, EntryType.ASK,
})  # fmt: skip
# What home sees of other territories: transactions, and that one was cancelled (domain §2.10).
_FOR_HOME = frozenset({EntryType.COMMIT, EntryType.CANCEL})


@dataclass(frozen=True)
class Mention:
    """What a view says of an entry: its carnet and its type."""

    carnet_id: int
    type: EntryType

    def to_bytes(self) -> bytes:
        return self.carnet_id.to_bytes(8, "big") + self.type.to_bytes(2, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        return cls(int.from_bytes(data[:8], "big"), EntryType(int.from_bytes(data[8:], "big")))


def of_carnet(carnet_id: int) -> bytes:
    return b"c" + carnet_id.to_bytes(8, "big")


def in_territory(code: str) -> bytes:
    return b"t" + of_territory(code)


def of_blob(digest: bytes) -> bytes:
    """A document that some carnet has attached."""
    return b"b" + digest


def refused_of(carnet_id: int) -> bytes:
    """Commits of a carnet that the rules refused."""
    return b"r" + carnet_id.to_bytes(8, "big")


def of_issuer(code: str) -> bytes:
    return b"i" + of_territory(code)


def announcements() -> bytes:
    """Digital dates, as they are announced: every issuer is told."""
    return b"a"


def keys_of(territory: str) -> bytes:
    """Every generation of a territory's key that there ever was."""
    return b"k" + of_territory(territory)


def places(state: Facts, body: Body, facts: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The views an accepted entry stands in, each with its mention; a territory key's with its id."""
    if isinstance(body, RegisterTerritoryKey):
        yield keys_of(body.territory), key_id(body.key, Algorithm.XWING)
    if isinstance(body, Readiness):
        yield announcements(), Mention(0, body.TYPE).to_bytes()
    carnet_id = getattr(body, "carnet_id", None)
    if carnet_id is None:
        return
    mention = Mention(carnet_id, body.TYPE).to_bytes()
    yield of_carnet(carnet_id), mention
    if isinstance(body, Attach):
        yield of_blob(body.blob), mention
    carnet = state.get(Carnet, carnet_id)
    assert carnet is not None, "an accepted entry names a carnet that exists"
    if body.TYPE in _FOR_ISSUERS:
        yield of_issuer(carnet.issuer), mention
    territory = _territory(state, body, facts)
    if territory:
        yield in_territory(territory), mention
    if body.TYPE in _FOR_HOME and territory != carnet.home:
        yield in_territory(carnet.home), mention


def _territory(known: Facts, body: Body, facts: bytes) -> str:
    if isinstance(body, Disagree):
        match decode_own(facts):
            case [_, _, _, _, str(territory), *_]:
                return territory
    office = known.get(Office, getattr(body, "office", "") or "")
    return "" if office is None else office.territory
