"""Where to look: accepted entries by carnet, territory and issuer. Derived from the entries, no part of the truth."""

from collections.abc import Iterator

from eata_ledger.encoding import decode_own
from eata_ledger.facts import Facts, Reader
from eata_ledger.proof.bodies import Body, Disagree, Issue
from eata_ledger.state import Carnet, Office, of_territory


def of_carnet(carnet_id: int) -> bytes:
    return b"c" + carnet_id.to_bytes(8, "big")


def in_territory(code: str) -> bytes:
    return b"t" + of_territory(code)


def of_issuer(code: str) -> bytes:
    return b"i" + of_territory(code)


def places(reader: Reader, body: Body, facts: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The views an accepted entry stands in; a territory's and an issuer's say which carnet it is about."""
    carnet_id = getattr(body, "carnet_id", None)
    if carnet_id is None:
        return
    about = carnet_id.to_bytes(8, "big")
    yield of_carnet(carnet_id), b""
    known = Facts(reader)
    carnet = known.get(Carnet, carnet_id)
    assert carnet is not None, "an accepted entry names a carnet that exists"
    yield of_issuer(carnet.issuer), about
    territory = _territory(known, body, facts)
    if territory and not isinstance(body, Issue):
        yield in_territory(territory), about


def _territory(known: Facts, body: Body, facts: bytes) -> str:
    if isinstance(body, Disagree):
        match decode_own(facts):
            case [_, _, _, _, str(territory), *_]:
                return territory
    office = known.get(Office, getattr(body, "office", "") or "")
    return "" if office is None else office.territory
