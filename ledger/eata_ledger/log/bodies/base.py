"""Entry types, and what every body shares. Type numbers are frozen."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from eata_ledger.record import Record, blob


class EntryType(IntEnum):
    """Frozen numbers."""

    REGISTER_ORGANISATION = 1
    REGISTER_ADMINISTRATION = 2
    REGISTER_TERRITORY = 3
    REGISTER_REGION = 4
    REGISTER_OFFICE = 5
    REGISTER_NODE = 6
    REGISTER_DESK_CA = 7
    REGISTER_TERRITORY_KEY = 8
    DESCRIBE_OFFICE = 9
    RESERVE_IDS = 10
    ISSUE = 11
    ENROL_DEVICE = 12
    SIGN = 13
    TRAVEL = 14
    EDIT_TRAVEL = 15
    DELETE_TRAVEL = 16
    ADMIT_DEVICE = 17
    RECODE = 18
    COMMIT = 20
    REJECT = 21
    HOLD = 22
    RELEASE = 23
    CANCEL = 24
    ANSWER = 25
    NOTIFY = 26
    WITHDRAW = 27
    RENEW = 28
    DISAGREE = 29
    TICK = 30
    AMEND = 40
    ADD_SETS = 41
    BLOCK = 42
    UNBLOCK = 43
    CANCEL_CARNET = 44
    DISCHARGE = 45
    ASK = 47
    DELEGATE = 48
    REVOKE_KEY = 50
    REVOKE_DEVICE = 51
    ROTATE_PIN = 52
    ADD_STANZA = 53
    SHRED = 54
    ATTACH = 55
    RESET_HOLDER = 56
    ACTIVATE_RULES = 60
    ROTATE_OPERATIONS = 61
    ROTATE_ROOT = 62
    READINESS = 64
    PUBLISH = 65
    ACCEPTANCE = 66
    VOUCHER_SETS = 67
    REMOVE_NODE = 68
    PROVISIONAL = 69


@dataclass(frozen=True)
class Body(Record):
    """What an entry says beyond the common header."""

    TYPE: ClassVar[EntryType]


SEALING_KEY = blob(1216)
CERTIFICATE = blob(1, 1024)
