"""A carnet's holder: the devices, and the roots that codes and keys come from."""

from dataclasses import dataclass

from eata_ledger.log.bodies.base import SEALING_KEY
from eata_ledger.log.bodies.devices import MOST_DEVICES
from eata_ledger.log.keys import Algorithm, key_id
from eata_ledger.record import KEY, KEY_ID, U16, U64, Record, array, f, nested, optional
from eata_ledger.state.base import Fact, Family

MOST_ROOTS, MOST_EVER, MOST_UNASKED, MOST_ROOTS_EVER = 64, 256, 16, 4_096


@dataclass(frozen=True)
class Device(Fact):
    """A holder's device, by (carnet, its key id): its keys, the entry that enrolled it, the device that admitted it."""

    FAMILY = Family.DEVICE
    STEADY = True
    key: bytes = f(KEY)
    seal_key: bytes = f(SEALING_KEY)
    entry: int = f(U64)
    admitted_by: bytes | None = f(optional(KEY_ID))
    revoked: int | None = f(optional(U64))

    @property
    def seal_id(self) -> bytes:
        return key_id(self.seal_key, Algorithm.XWING)


@dataclass(frozen=True)
class Root(Record):
    """A holder root: the first slot that it serves, the entry that brought it."""

    first: int = f(U16)
    entry: int = f(U64)


@dataclass(frozen=True)
class Holder(Fact):
    """Who holds a carnet now. `roots` since the holder was last reset, `before` how many came before; `kept`: the entry with
    the newest kept keys.

    Without a holder code nobody holds it: not signed yet, or reset by its issuer.
    """

    FAMILY = Family.HOLDER
    code_key: bytes | None = f(optional(KEY))
    before: int = f(U16)
    roots: tuple[Root, ...] = f(array(nested(Root), MOST_ROOTS))
    kept: int = f(U64)
    devices: tuple[bytes, ...] = f(array(KEY_ID, MOST_DEVICES))
    ever: int = f(U16)

    @property
    def root(self) -> int:
        """The number of the root in force, counted from 1; 0 where nobody holds the carnet."""
        return 0 if self.code_key is None else self.before + len(self.roots)

    @property
    def next_root(self) -> int:
        return self.before + len(self.roots) + 1


NOBODY = Holder(None, 0, (), 0, (), 0)
