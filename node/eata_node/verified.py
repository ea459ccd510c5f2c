"""A signature is verified once per node: what Submit has checked, the log does not check again."""

from collections import OrderedDict

from eata_ledger.proof.keys import verify

_KEPT = 20_000


class Verified:
    """Remembers good (key, signature, message) triples, the newest 20,000."""

    def __init__(self) -> None:
        self._good: OrderedDict[tuple[bytes, bytes, bytes], None] = OrderedDict()

    def __call__(self, public: bytes, signature: bytes, message: bytes) -> bool:
        triple = (public, signature, message)
        if triple in self._good:
            del self._good[triple]  # the log shows it once; a replay is known by its request id
            return True
        return verify(public, signature, message)

    def remember(self, public: bytes, signature: bytes, message: bytes) -> bool:
        """Verifies, and remembers what is good."""
        good = verify(public, signature, message)
        if good:
            self._good[public, signature, message] = None
            if len(self._good) > _KEPT:
                self._good.popitem(last=False)
        return good
