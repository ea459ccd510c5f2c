"""The domain's words as numbers (domain §1.1, §2). Numbers are frozen; they stand in entries and state."""

from enum import IntEnum, IntFlag


class Kind(IntEnum):
    """Transaction kinds (domain §2.2)."""

    VALIDATION = 1
    PRE_EXPORTATION = 2
    EXPORTATION = 3
    IMPORTATION = 4
    REEXPORTATION = 5
    REIMPORTATION = 6
    TRANSIT_OPEN = 7
    TRANSIT_CLOSE = 8


HOME_KINDS = frozenset({Kind.VALIDATION, Kind.PRE_EXPORTATION, Kind.EXPORTATION, Kind.REIMPORTATION})
ARRIVALS = frozenset({Kind.IMPORTATION, Kind.TRANSIT_OPEN})
RETURNS = frozenset({Kind.REEXPORTATION, Kind.REIMPORTATION})


class SetKind(IntEnum):
    """Voucher sets, counted per carnet (domain §2.4)."""

    EXPORT = 1
    IMPORT = 2
    REEXPORT = 3
    REIMPORT = 4
    TRANSIT = 5


class CarnetType(IntEnum):
    """Carnet types (OBJ-07, domain §3.6)."""

    ATA = 1
    CPD_TW = 2
    TECRO_AIT = 3
    CPD_VEHICLE = 4


class OrderType(IntEnum):
    """Order types (OBJ-07)."""

    ORIGINAL = 1
    REPLACEMENT = 2
    TWIN = 3
    CLONE = 4


class Status(IntEnum):
    """Carnet states (domain §2.1); EXPIRED, HELD and BLOCKED are not states."""

    ISSUED = 1
    ACTIVATED = 2
    TERMINATED = 3
    CANCELLED = 4


class VoucherState(IntEnum):
    """Voucher states as the log knows them (domain §2.2)."""

    PREPARED = 1
    COMMITTED = 2
    DELETED = 3
    CANCELLED = 4


class NoticeKind(IntEnum):
    """What a pre-notification asks for (APP-20, domain §2.11)."""

    NOTICE_NO_DETAILS = 1
    NOTICE_WITH_DETAILS = 2
    PREDECLARATION = 3


class NoticeState(IntEnum):
    """Where a pre-notification stands; a draft is the holder's own."""

    SENT = 1
    ACKNOWLEDGED = 2
    REJECTED = 3
    COMMITTED = 4
    WITHDRAWN = 5


class AskKind(IntEnum):
    """What a holder asks the issuer for (APP-27, U7)."""

    DISCHARGE = 1
    SETS = 2


class ReadinessStage(IntEnum):
    """How firm a territory's digital date is (GTP-02)."""

    PROVISIONAL = 1
    CONFIRMED = 2


class Topic(IntEnum):
    """What ICC publishes for all to read (ACC-72)."""

    NEWS = 1
    DIRECTORY = 2


class OfficeType(IntFlag):
    """What an office is, in any combination (ACC-61)."""

    NONE = 0
    ADMINISTRATIVE = 1
    SEA_PORT = 2
    AIRPORT = 4
    LAND_PORT = 8


class Validated(IntEnum):
    """How the carnet became usable abroad (C-12)."""

    NO = 0
    YES = 1
    AUTO = 2


class Role(IntEnum):
    """Customs roles (ACC-05, C-04)."""

    OFFICER = 1
    CONTROLLER = 2
    REGIONAL_MANAGER = 3
    ADMIN = 4


class Purpose(IntEnum):
    """What a registered key is for."""

    GROUP = 1
    STATEMENT = 2
    EXCHANGE = 3
    SIGN = 4
    SEAL = 5
    DESK_CA = 6
    COSIGN = 7
    TLS = 8


class OrganisationKind(IntEnum):
    """Organisations under ICC operations."""

    ISSUER = 1
    AUDITOR = 2


class Warning(IntEnum):
    """Soft warnings that need an acknowledgement and a typed reason (C-20, domain §2.2)."""

    ITEMS_ALREADY_OUT = 1
    NO_PRE_EXPORTATION = 2
    ITEMS_ALREADY_ADMITTED = 3
    ITEMS_NOT_ADMITTED = 4
    FINAL_DATE_PASSED = 5
    ITEMS_NOT_OUT = 6
    REEXPORTATION_MISSING = 7
    TRANSIT_ALREADY_OPEN = 8
    TRANSIT_ITEMS_DIFFER = 9
    TRANSIT_LATE = 10


class Flag(IntFlag):
    """Flags of a committed transaction."""

    NONE = 0
    LATE = 1
    CLOCK_STALLED = 2
    TEST = 4
    AUTO_VALIDATION = 8
    PRE_EXPORTATION_WRITTEN = 16
    PAPER_PRESENTED = 32


class Label(IntEnum):
    """What a part is. All are sealed but DECLARED, which nodes judge."""

    CARNET = 1
    DECLARATION = 2
    PACKET = 3
    COUNTERFOIL = 4
    REMARKS = 5
    FINAL = 6
    STANZA = 7
    PIN_STANZA = 8
    NOTICE = 9
    ANSWER = 10
    NOTE = 11
    ATTACHMENT = 12
    GRANT = 13
    DECLARED = 14
    HOLDER_STANZA = 15
    KEPT = 16
    LINK = 17
