"""What the ICC root signs, key by key, each keeper at their own machine."""

from eata_ledger.log.bodies import Body
from eata_ledger.log.entry import Entry, Signed
from eata_ledger.log.keys import SigningKey

from eata_clients.authoring.content import Stamp
from eata_clients.authoring.entries import make

LIFE = 14 * 24 * 3_600_000  # keepers may live far apart


def propose(ledger: bytes, keeper: SigningKey, body: Body, now: int) -> Entry:
    """The entry with its first signature; its author is that keeper."""
    return make(ledger, body, Stamp(now, life=LIFE), (keeper,))


def countersign(entry: Entry, keeper: SigningKey) -> Entry:
    """With one more signature over the same header."""
    added = Signed(keeper.id, keeper.sign(entry.header.signed))
    signatures = (*(s for s in entry.signatures if s.key_id != keeper.id), added)
    return Entry(entry.header, signatures, entry.parts)
