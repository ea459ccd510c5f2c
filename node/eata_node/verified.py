"""A signature is verified once per node: what Submit has checked and accepted, the log does not check again."""

from collections import OrderedDict

from eata_ledger.encoding import sha256
from eata_ledger.proof.keys import verify

_KEPT = 20_000
Checked = tuple[bytes, bytes, bytes]


class Verified:
    """Remembers good (key, signature, message hash) triples, the newest 20,000: 130 bytes each."""

    def __init__(self) -> None:
        self._good: OrderedDict[Checked, None] = OrderedDict()

    def __call__(self, public: bytes, signature: bytes, message: bytes) -> bool:
        triple = (public, signature, sha256(message))
        if triple in self._good:
            del self._good[triple]  # the log shows it once; a replay is known by its request id
            return True
        return verify(public, signature, message)

    def remember(self, checked: list[Checked]) -> None:
        """Keeps what an accepted judgement has just verified."""
        for public, signature, message in checked:
            self._good[public, signature, sha256(message)] = None
        while len(self._good) > _KEPT:
            self._good.popitem(last=False)
