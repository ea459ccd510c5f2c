"""The issuer's care for its carnets: a new PIN, documents, a stanza made good, erasure."""

from pathlib import Path

from eata_host.vault import read_locked, write_locked
from eata_ledger.encoding import Value, sha256
from eata_ledger.log.entry import Entry
from eata_ledger.seal.codes import Code, CodeKind, code_keys
from eata_ledger.state import Carnet

from eata_clients.authoring import keeping
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.keeping import NewPin
from eata_clients.issuer.client import Issuer
from eata_clients.net.errors import Untrusted
from eata_clients.net.receipts import Committed
from eata_clients.net.transport import now
from eata_clients.opened import documents
from eata_clients.opened.parts import open_keys


class IssuerCare:
    """Acts on one issuer's carnets, each idempotent by the caller's own request id."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    async def _opened(self, number: str) -> tuple[Carnet, bytes]:
        """The carnet and its content key, from the stanza made for the issuer."""
        reply = await self._issuer.carnet(number, to_act=True)
        carnet = Carnet.from_bytes(reply.record)
        keys = open_keys(await self._issuer.excerpts(reply), carnet.entry, self._issuer.openers, carnet.carnet_id)
        if keys is None or keys.content is None:
            raise Untrusted("the issuer's stanza is missing")
        return carnet, keys.content

    async def new_pin(self, request_id: str, number: str, by: NewPin) -> tuple[Carnet, Code, Committed]:
        """A new PIN: `by` is `keeping.rotate_pin` for a lost one, or `keeping.reset_holder` where all else is lost too."""
        carnet, content_key = await self._opened(number)
        ledger, carnet_id = (await self._issuer.registry()).genesis.ledger, carnet.carnet_id
        path = self._issuer.files.pin_path(carnet_id)
        fresh = path.with_name(f"{carnet_id}-{sha256(request_id.encode()).hex()[:16]}")

        def make(entry_id: bytes) -> Entry:
            pin = Code.random(CodeKind.PIN)
            write_locked(fresh, pin.text.encode())
            keys = code_keys(pin, ledger, carnet_id)
            stamp = Stamp(now())
            return by(
                ledger, self._issuer.party, carnet_id, carnet.content, content_key, keys, stamp, entry_id
            )  # fmt: skip

        done = await self._issuer.change(request_id, [by.__name__.replace("_", "-"), carnet_id], make)
        pin = _pin(fresh)
        if (
            code_keys(pin, ledger, carnet_id).sign.public
            == Carnet.from_bytes((await self._issuer.carnet(number)).record).pin_key
        ):  # asked again after a later rotation: that one stands
            write_locked(path, pin.text.encode())
        return carnet, _pin(path), done  # asked again after a later rotation: the PIN of today

    async def attach(self, request_id: str, number: str, name: str, data: bytes) -> tuple[Carnet, Committed]:
        """A PDF or JPEG, before Customs has touched the carnet (N-01)."""
        documents.check_document(name, data)
        carnet, content_key = await self._opened(number)
        registry, party = await self._issuer.registry(), self._issuer.party
        ledger = registry.genesis.ledger
        content, blob = keeping.seal_document(ledger, carnet.carnet_id, carnet.content, name, data)
        receipts = await documents.store(
            self._issuer.transport, registry.charter, [party.sign], carnet.carnet_id, blob
        )  # fmt: skip

        def make(entry_id: bytes) -> Entry:
            return keeping.attach(
                ledger, party.sign, carnet.carnet_id, carnet.content, content_key, content, blob, receipts,
                Stamp(now()), entry_id,
            )  # fmt: skip

        fingerprint: list[Value] = ["attach", carnet.carnet_id, name, sha256(data)]
        return carnet, await self._issuer.change(request_id, fingerprint, make)

    async def shred(self, request_id: str, number: str) -> tuple[Carnet, Committed]:
        """Erases what was sealed, everywhere; numbers, dates and outcomes stay."""
        carnet = Carnet.from_bytes((await self._issuer.carnet(number, to_act=True)).record)
        ledger, party = (await self._issuer.registry()).genesis.ledger, self._issuer.party

        def make(entry_id: bytes) -> Entry:
            return keeping.shred(ledger, party, carnet.carnet_id, Stamp(now()), entry_id)

        return carnet, await self._issuer.change(request_id, ["shred", carnet.carnet_id], make)


def _pin(path: Path) -> Code:
    return Code.read(CodeKind.PIN, read_locked(path).decode("ascii"))
