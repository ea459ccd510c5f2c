"""Journal keys backwards, over the links between holder roots."""

from eata_ledger.carnet.vocabulary import Label
from eata_ledger.encoding import Malformed
from eata_ledger.log.bodies import RevokeDevice
from eata_ledger.seal.schedule import SLOTS, earlier, link_key
from eata_ledger.seal.stanza import Keys

from eata_clients.net.errors import Untrusted
from eata_clients.opened.parts import Excerpts, Sealed


class Journals:
    """What a journal key of slot `at` opens: its own slot and those before it, also of earlier roots."""

    def __init__(self, journal: bytes, at: int, excerpts: Excerpts, carnet_id: int) -> None:
        self._journal, self._at, self._carnet_id = journal, at, carnet_id
        links = [(first, part) for part in excerpts.every(Label.LINK) if (first := _first(part)) <= at]
        self._links = sorted(links, key=lambda link: link[1].info.slot, reverse=True)

    def journal(self, slot: int) -> bytes | None:
        """J of a slot; None for a later one, or one that a root made anew by the issuer's reset has cut off."""
        if slot > self._at:
            return None
        journal, at = self._journal, self._at
        for first, part in self._links:
            if slot >= first:
                break
            journal, at = earlier(journal, at, first), first
            try:
                opened = Keys.from_bytes(part.unsealed(link_key(journal), self._carnet_id)).journal
            except (Untrusted, Malformed):
                return None
            if opened is None:
                return None
            journal = opened
        return earlier(journal, at, slot)


def _first(link: Sealed) -> int:
    body = link.header.body
    return min(body.first, SLOTS) if isinstance(body, RevokeDevice) else SLOTS + 1
