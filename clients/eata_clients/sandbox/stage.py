"""A live sandbox with all its parties' keys at hand: issuer, holder and desks of every territory."""

import json
import secrets
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Self

from eata_host.vault import read_key
from eata_ledger.carnet.dates import local_day
from eata_ledger.carnet.goods.items import Items
from eata_ledger.carnet.vocabulary import Kind, Role, SetKind, Warning
from eata_ledger.encoding import Malformed
from eata_ledger.log import bodies
from eata_ledger.log.keys import SigningKey
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.codes import CodeKind
from eata_ledger.state import Transaction

from eata_clients.authoring import clearing, issuing
from eata_clients.authoring.clearing import Decision, Desk
from eata_clients.authoring.content import CarnetContent, Goods, Stamp, remarks
from eata_clients.authoring.holding import Wish
from eata_clients.authoring.issuing import Order
from eata_clients.authoring.registering import by_party
from eata_clients.customs.client import CustomsDesk
from eata_clients.holder.downloaded import Downloaded
from eata_clients.holder.wallet import Wallet
from eata_clients.issuer.client import Issuer, read_party
from eata_clients.net.errors import EataError
from eata_clients.net.network import ClientIdentity, Network
from eata_clients.net.receipts import Committed
from eata_clients.net.submitting import submit
from eata_clients.net.transport import Transport, now
from eata_clients.trust.registry_pages import fetch


@dataclass
class Stage:
    """Everybody of the sandbox; `offices` is the folder of their folders, `work` where the holder's wallet lies."""

    network: Network
    offices: Path
    work: Path
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _transports: dict[str, Transport] = field(default_factory=dict)
    _desks: dict[tuple[str, Role], Desk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        source = json.loads((files("eata_clients.sandbox") / "sandbox.json").read_text(encoding="utf-8"))
        self._office_of = {o["territory"]: (o["code"], o["administration"]) for o in reversed(source["offices"])}
        self.today = local_day(now(), 0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def territories(self) -> frozenset[str]:
        return frozenset(self._office_of)

    async def transport(self, member: str, prefer: str = "") -> Transport:
        """A member's own transport, to one node first if asked; the public's for the empty name."""
        key = member + "@" + prefer
        if key not in self._transports:
            identity = ClientIdentity.read(self.offices / member) if member else None
            made = Transport(self.network, identity, [prefer] if prefer else ())
            self._transports[key] = await self._stack.enter_async_context(made)
        return self._transports[key]

    async def issuer(self, home: str) -> tuple[Issuer, str]:
        """Who issues carnets of that home here, and a prefix of its numbers."""
        registry = await fetch(await self.transport(""))
        for code, found in sorted(registry.organisations.items()):
            folder = self.offices / code
            if home in found.homes and (folder / "party.cbor").exists():
                client = Issuer(folder, await self.transport(code), read_party(folder / "party.cbor"))
                return client, found.prefixes[0]
        raise Malformed(f"no issuer here issues carnets of home {home}")

    async def change(self, home: str, body: bodies.Body) -> Committed:
        """An act of the home's issuer."""
        issuer, _ = await self.issuer(home)
        registry = await issuer.registry()
        entry = issuing.change(registry.charter.ledger, issuer.party, body, Stamp(now()))
        return await submit(issuer.transport, registry.charter, entry)

    def authority(self, member: str) -> SigningKey:
        """An administration's desk authority."""
        return SigningKey(read_key(self.offices / member / "desk-authority.key"))

    def share(self) -> None:
        """All sit at one table: what one party has been shown, no other is shown less of (P6)."""
        latest = max((t.session for t in self._transports.values()), key=lambda s: (s.era, s.position))
        for transport in self._transports.values():
            transport.carry(latest)

    def forget_desks(self) -> None:
        """Every desk signs in again."""
        self._desks.clear()

    async def register(self, member: str, body: bodies.Body, *others: SigningKey) -> int:
        """A registration by an administration, and by other keys that must sign it; its ledger index."""
        transport, party = await self.transport(member), read_party(self.offices / member / "party.cbor")
        charter = (await fetch(transport)).charter
        return (await submit(transport, charter, by_party(charter.ledger, party, body, Stamp(now()), *others))).index

    async def customs(self, territory: str, role: Role = Role.OFFICER, prefer: str = "") -> CustomsDesk:
        """A desk in the territory."""
        office, member = self._office_of[territory]
        if (office, role) not in self._desks:
            authority = self.authority(member)
            self._desks[office, role] = clearing.sign_in(self.network.ledger, authority, office, role, now())
        return CustomsDesk(self.work / member, await self.transport(member, prefer), self._desks[office, role])

    async def carnet(self, home: str, items: int, days: int, sets: dict[SetKind, int]) -> "Played":
        """A carnet issued today, valid `days` more, downloaded and signed."""
        issuer, prefix = await self.issuer(home)
        number = f"{prefix}T{secrets.randbelow(10**10):010d}"
        goods = tuple(Goods(n, f"piece {n}", 1, "CH", 10_000, "1 kg") for n in range(1, items + 1))
        content = CarnetContent("Conformance Ltd", (), "Exhibitions", "CHF", 2, ("EU",), goods)
        box_p = tuple(sorted(self.territories - {home}))
        order = Order(number, home, box_p, self.today + days, sets, content, True)
        issued, _ = await issuer.issue(number, order)
        wallet = Wallet(self.work / "wallet", await self.transport(""))
        await wallet.sign(CodeQr(str(issued.carnet_id), issued.pin))
        return Played(self, wallet, issued.carnet_id, home)


@dataclass
class Played:
    """One carnet on the stage."""

    stage: Stage
    wallet: Wallet
    carnet_id: int
    home: str

    async def prepare(self, *wishes: tuple[Kind, str, str, str]) -> list[int]:
        """A travel of (kind, territory, items, not returned); its slots."""
        wanted = tuple(Wish(kind, place, Items.parse(items), Items.parse(rest)) for kind, place, items, rest in wishes)
        return [slot for slot, _, _ in (await self.wallet.travel(self.carnet_id, wanted)).slots]

    async def commit(self, slot: int, territory: str, kind: Kind | None = None, final: int | None = None) -> int:
        """Scans and commits as declared, every warning acknowledged; the ledger index."""
        customs = await self.stage.customs(territory)
        scanned = await customs.scan(self.wallet.code(self.carnet_id, slot))
        decision = Decision(
            scanned.presented.items, scanned.presented.not_returned, final_day=final, kind=kind,
            acknowledged=tuple(Warning), remarks=remarks(reason="conformance"),
        )  # fmt: skip
        return (await customs.commit(scanned, decision)).index

    async def reject(self, slot: int, territory: str) -> None:
        customs = await self.stage.customs(territory)
        await customs.reject(await customs.scan(self.wallet.code(self.carnet_id, slot)), "conformance")

    async def cancel(self, slot: int, territory: str, index: int) -> None:
        code = self.wallet.code(self.carnet_id, slot, CodeKind.CANCELLATION)
        await (await self.stage.customs(territory)).cancel(code, index, "conformance")

    async def show(self, as_of: str = "") -> Downloaded:
        self.stage.share()
        return await self.wallet.show(self.carnet_id, as_of)

    async def seen_by(self, territory: str) -> list[int]:
        """Ledger indexes of the rows a territory's officer gets; none where it has not met the carnet."""
        try:
            customs = await self.stage.customs(territory)
            self.stage.share()
            reply = await customs.carnet(self.carnet_id)
        except EataError as error:
            if error.code == "NOT_VISIBLE":
                return []
            raise
        return [row.index for row in map(Transaction.from_bytes, reply.rows)]


def unplayable(territories: Iterable[str], stage: Stage) -> str:
    """Why a vector has no place on this stage, empty if it has."""
    missing = sorted(set(territories) - stage.territories)
    return f"the sandbox has no office in {', '.join(missing)}" if missing else ""
