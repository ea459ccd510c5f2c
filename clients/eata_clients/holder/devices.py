"""A holder's devices: joining by an enrolled one or by the holder code, and taking one back (APP-06, APP-13, APP-24)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eata_ledger.carnet.vocabulary import VoucherState
from eata_ledger.log.keys import SigningKey, key_id
from eata_ledger.proof.qr import CodeQr
from eata_ledger.seal.codes import Code, CodeKind, code_keys
from eata_ledger.state import Device, Holder, Voucher

from eata_clients.authoring import devices, holding
from eata_clients.authoring.content import Stamp
from eata_clients.authoring.devices import DeviceKeys, Request
from eata_clients.authoring.holding import Wish
from eata_clients.holder.downloaded import Downloaded
from eata_clients.holder.learning import under_code, with_root
from eata_clients.holder.wallet import Told, Wallet, untold
from eata_clients.net.errors import EataError
from eata_clients.net.numbers import carnet_id_of
from eata_clients.net.receipts import Committed
from eata_clients.net.transport import now

_TRIES, _AT_ONCE = 3, 32  # vouchers renewed in one entry


@dataclass(frozen=True)
class Revoked:
    """What taking devices back has changed: who stays (key ids); old slot → new slot; a code where vouchers are still void."""

    done: Committed
    staying: tuple[bytes, ...]
    renewed: dict[int, int]
    failed: str


Agree = Callable[[list[bytes], list[bytes]], bool]


def agreed(falling: list[bytes], staying: list[bytes]) -> bool:
    """Whoever calls has asked before."""
    return True


class Devices:
    """The devices of a wallet's carnets."""

    def __init__(self, wallet: Wallet) -> None:
        self._wallet = wallet

    # -- joining

    async def request(self, carnet: str) -> Request:
        """What this device shows to one that holds the carnet; the carnet by its ID or number."""
        carnet_id = await carnet_id_of(self._wallet.transport, carnet)
        if self._wallet.holds(carnet_id) and await self._wallet.still_holds(carnet_id):
            raise EataError("ALREADY_REGISTERED", "This device holds the carnet.", "See `eata wallet show`.")
        ledger = self._wallet.transport.network.ledger
        return Request.of(ledger, carnet_id, self._wallet.joining(ledger, carnet_id).keys)

    async def admit(self, request: Request) -> Committed:
        """On a device that holds the carnet: hands it to the one whose QR was read."""
        await self._wallet.show(request.carnet_id)
        return await self._wallet.submit(devices.admit(self._wallet.holding(request.carnet_id), request, Stamp(now())))

    async def join(self, qr: CodeQr) -> Downloaded:
        """By the holder code, with no other device at hand."""
        wallet = self._wallet
        carnet_id = await carnet_id_of(wallet.transport, qr.carnet)
        ledger = wallet.transport.network.ledger
        code = code_keys(qr.code, ledger, carnet_id)
        try:
            own = await self._enrolled(carnet_id, code.sign)
        except EataError as error:
            if error.code not in ("SIGNATURE_INVALID", "CODE_VOIDED"):
                raise
            raise EataError(
                "HOLDER_CODE_WRONG", "This is not the carnet's holder code.",
                "Type the newest one: taking a device back makes another.",
            ) from None  # fmt: skip
        carnet, reply, excerpts = await wallet.looked_up(carnet_id, own.sign)
        holder = Holder.from_bytes(reply.holder)
        wallet.keep(with_root(own, carnet, holder, under_code(code.wrap, carnet, holder, excerpts), excerpts))
        return await wallet.show(carnet_id)

    async def _enrolled(self, carnet_id: int, holder: SigningKey) -> DeviceKeys:
        """This device's keys, once the ledger has them; others where the first were taken back before they were used."""
        wallet, ledger = self._wallet, self._wallet.transport.network.ledger
        for _ in range(2):
            own = wallet.joining(ledger, carnet_id).keys
            try:
                await wallet.submit(devices.enrol(ledger, carnet_id, own, holder, Stamp(now())))
            except EataError as error:
                if error.code == "KEY_REVOKED":
                    wallet.stop_joining(carnet_id)
                    continue
                if error.code != "ALREADY_REGISTERED":
                    raise
            return own
        raise EataError("KEY_REVOKED", "This device was taken back.", "Ask the holder.")

    # -- taking back

    async def all(self, carnet_id: int) -> list[Device]:
        """Every device that the carnet has or had, by key id."""
        return [Device.from_bytes(data) for data in (await self._wallet.show(carnet_id)).reply.devices]

    async def revoke(
        self, carnet_id: int, lost: Iterable[bytes], with_admitted: bool = False, told: Told = untold,
        agree: Agree = agreed,
    ) -> Revoked:  # fmt: skip
        """Takes devices back, by key id, with those that they have admitted if asked.

        A new root and a new holder code; open vouchers get new codes, committed ones new cancellation codes. With no device
        the holder code alone is made anew. `agree` is asked first, with what falls and what stays; `told` gets the code
        before anything is sent. Raises `EataError`.
        """
        gone, code, shown_to = set(lost), Code.random(CodeKind.HOLDER), False
        for _ in range(_TRIES):
            shown = await self._wallet.show(carnet_id)
            if not shown.agreed.sure:
                raise EataError(
                    "TOO_FEW_NODES", "Too few nodes tell which devices there are.", "Try again.", retryable=True
                )  # the new keys are sealed to what is told: one node may lie
            known = {key_id(one.key): one for one in map(Device.from_bytes, shown.reply.devices)}
            own = self._wallet.kept(carnet_id).keys.sign.id
            falling = admitted_by(known, gone, own) if with_admitted else gone
            staying = {kid: one.seal_key for kid, one in known.items() if one.revoked is None and kid not in falling}
            if not agree(sorted(falling), sorted(staying)):
                raise EataError("NOT_AGREED", "Nothing was taken back.", "Name other devices, or leave it.")
            if not shown_to:
                told(code)
                shown_to = True
            try:
                done = await self._take_back(shown, sorted(falling), staying, code)
            except EataError as error:
                if error.code not in (
                    "SLOT_TAKEN",
                    "STANZAS_WRONG",
                ):  # a travel was prepared meanwhile, a device admitted
                    raise
                continue
            return Revoked(done, tuple(sorted(staying)), *await self._renewed(carnet_id))
        raise EataError("SLOT_TAKEN", "Other devices keep changing the carnet.", "Wait a moment and try again.")

    async def _take_back(
        self, shown: Downloaded, lost: list[bytes], staying: dict[bytes, bytes], code: Code
    ) -> Committed:  # fmt: skip
        """The new root comes back to this device with its own stanza, once the ledger has it."""
        wallet, carnet_id = self._wallet, shown.carnet.carnet_id
        kept = wallet.kept(carnet_id)
        anew = devices.rooted_anew(kept.holding, shown.state.next_slot)
        keys = code_keys(code, kept.ledger, carnet_id)
        return await wallet.submit(devices.revoke(anew, lost, staying, kept.pin_wrap, keys, Stamp(now())))

    async def _renewed(self, carnet_id: int) -> tuple[dict[int, int], str]:
        """What was renewed, and why the rest was not."""
        for _ in range(_TRIES):
            try:
                return await self.renew_voided(carnet_id), ""
            except EataError as error:
                why = error.code
                if why != "SLOT_TAKEN":
                    break
        return {}, why

    async def renew_voided(self, carnet_id: int) -> dict[int, int]:
        """New codes for what an earlier root has made: old slot → new slot. May be asked again after a failure."""
        wallet, renewed = self._wallet, dict[int, int]()
        while True:
            shown = await wallet.show(carnet_id)
            number = wallet.holding(carnet_id).newest.number
            old = [v for v in shown.vouchers if v.state is VoucherState.PREPARED and v.root != number][:_AT_ONCE]
            if not old:
                break
            first = shown.state.next_slot
            wishes = tuple(_again(wallet, shown, voucher) for voucher in old)
            slots = [voucher.slot for voucher in old]
            entry = holding.renew(wallet.holding(carnet_id), slots, first, wishes, Stamp(now()))
            await wallet.submit(entry)
            renewed |= {slot: first + n for n, slot in enumerate(slots)}
        used = [v.slot for v in shown.vouchers if v.state is VoucherState.COMMITTED and v.cancel_root != number]
        for at in range(0, len(used), _AT_ONCE):
            await wallet.submit(devices.recode(wallet.holding(carnet_id), used[at : at + _AT_ONCE], Stamp(now())))
        return renewed


def admitted_by(known: dict[bytes, Device], gone: set[bytes], own: bytes) -> set[bytes]:
    """Devices and all that they have admitted, and those have, and so on; never the own one, nor what that has admitted."""
    found, more = set(gone), True
    while more:
        also = {kid for kid, one in known.items() if one.admitted_by in found and one.revoked is None} - found - {own}
        found, more = found | also, bool(also)
    return found


def _again(wallet: Wallet, shown: Downloaded, voucher: Voucher) -> Wish:
    details = wallet.details(shown, voucher.slot)
    return Wish(voucher.kind, voucher.territory, voucher.items, voucher.not_returned, details)
