"""A signature is verified once per node: what Submit has checked, and what many entries share, the log does not check again."""

from collections import OrderedDict

from eata_ledger.encoding import sha256
from eata_ledger.log.keys import verify

_KEPT = 16_384


class Verified:
    """Remembers good (key, signature, message hash) triples, the 16,384 used last: about 400 bytes each."""

    def __init__(self) -> None:
        self._good: OrderedDict[tuple[bytes, bytes, bytes], None] = OrderedDict()

    def __call__(self, public: bytes, signature: bytes, message: bytes) -> bool:
        triple = (public, signature, sha256(message))
        if triple in self._good:
            self._good.move_to_end(triple)
            return True
        if not verify(public, signature, message):
            return False
        self._good[triple] = None
        if len(self._good) > _KEPT:
            self._good.popitem(last=False)
        return True
