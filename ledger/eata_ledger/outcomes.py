"""Every answer an entry can get: a number for the leaf, a code, a sentence, and what to do next.

Numbers are frozen. Codes are those of the domain's hard blocks (domain §2.2, in their order) and of the
ledger itself. `ACCEPTED` is the only one that changes anything.
"""

from enum import IntEnum


class Outcome(IntEnum):
    """Logged outcomes (below 200) and refusals that never reach the log (200 and above)."""

    ACCEPTED = 0
    CARNET_NOT_FOUND = 1
    CODE_INVALID = 2
    CODE_CONSUMED = 3
    CARNET_CANCELLED = 4
    CARNET_TERMINATED = 5
    CARNET_BLOCKED = 6
    HELD_IN_TERRITORY = 7
    CARNET_EXPIRED = 8
    TERRITORY_NOT_IN_BOX_P = 9
    WRONG_TERRITORY_FOR_TYPE = 10
    NOT_VALIDATED = 11
    NOT_SIGNED = 12
    OFFICE_INACTIVE = 13
    ROLE_FORBIDDEN = 14
    STALE_VERSION = 15
    ITEM_OUT_OF_RANGE = 16
    ALREADY_VALIDATED = 20
    NO_OPEN_TRANSIT = 21
    NO_SETS_LEFT = 22
    FINAL_DATE_AFTER_VALIDITY = 23
    NOT_CANCELLABLE = 24
    CANCEL_CODE_INVALID = 25
    LATER_TRANSACTION_EXISTS = 26
    AMEND_CLOSED = 27
    LISTS_OVERLAP = 28
    SLOT_TAKEN = 29
    STANZAS_WRONG = 30
    RULE_FAULT = 32
    KEY_REVOKED = 42
    CERT_EXPIRED = 43
    ENTRY_EXPIRED = 44
    WRONG_LEDGER = 45
    ID_NOT_RESERVED = 46
    NUMBER_TAKEN = 47
    ALREADY_SIGNED = 48
    REASON_REQUIRED = 49
    COUNTERSIGN_NEEDED = 50
    ALREADY_REGISTERED = 51
    PARENT_UNKNOWN = 52
    KEY_WEAK = 53
    DEVICE_UNKNOWN = 54
    TRAVEL_UNKNOWN = 55
    TRAVEL_TRANSACTED = 56
    VALIDITY_WRONG = 57
    TICK_EARLY = 59
    OFFSET_WRONG = 61
    FINAL_DATE_PAST = 62
    FIELD_NOT_OF_KIND = 63
    EVENT_TIME_WRONG = 64
    NOT_HELD = 65
    TRANSACTION_UNKNOWN = 66
    NOTICE_UNKNOWN = 67
    NOTICE_LIVE = 68
    NOTICE_DECIDED = 69
    NOT_REPLACEABLE = 70
    LINK_WRONG = 71
    READINESS_NOTICE = 72
    SETS_NOT_OF_TYPE = 73
    NOT_BLOCKED = 74
    CARNET_IN_USE = 75
    VERSION_WRONG = 76
    TOO_MANY = 77
    DELEGATION_OVER = 78
    CARNET_ERASED = 79
    NOT_ERASABLE = 80
    RECEIPTS_MISSING = 81
    ATTACHMENT_TOO_LARGE = 82
    THRESHOLD_MISSED = 83
    RULES_NOT_ANNOUNCED = 84
    DECISION_WRONG = 85
    ISSUER_NOT_OF_HOME = 86
    NUMBER_NOT_OF_ISSUER = 87
    KEY_LIFE_WRONG = 88
    CODE_VOIDED = 89
    ALREADY_HELD = 90
    BUDGET_SPENT = 91
    PART_TOO_LARGE = 92
    EVENT_AHEAD = 93
    TERRITORY_UNKNOWN = 94
    CODE_NOT_OF_ADMINISTRATION = 95

    REQUEST_ID_REUSED = 200
    SIGNATURE_INVALID = 201
    KEY_UNKNOWN = 202
    ENTRY_MALFORMED = 203
    ENTRY_TOO_LARGE = 204
    PARTS_WRONG = 205
    GROUP_REFUSED = 206


_TEXT: dict[Outcome, tuple[str, str]] = {
    Outcome.ACCEPTED: ("Recorded.", "Nothing more to do."),
    Outcome.CARNET_NOT_FOUND: ("No carnet has this ID.", "Check the ID or number and scan again."),
    Outcome.CODE_INVALID: (
        "This code opens no voucher of this carnet.",
        "Ask the holder to show the QR code again.",
    ),
    Outcome.CODE_CONSUMED: ("This voucher has already been used.", "Ask the holder for the next voucher."),
    Outcome.CARNET_CANCELLED: (
        "This carnet was cancelled by its issuer.",
        "Do not process it; ask for another document.",
    ),
    Outcome.CARNET_TERMINATED: (
        "This carnet has been discharged.",
        "Do not process it; ask for another document.",
    ),
    Outcome.CARNET_BLOCKED: (
        "The issuer has blocked this carnet.",
        "Call a controller; only returns may be countersigned.",
    ),
    Outcome.HELD_IN_TERRITORY: (
        "This carnet is on hold in your territory.",
        "See the hold's reason and ask its office to release it.",
    ),
    Outcome.CARNET_EXPIRED: (
        "This carnet has expired.",
        "Only re-exportation and re-importation can be recorded.",
    ),
    Outcome.TERRITORY_NOT_IN_BOX_P: (
        "This carnet is not valid in your territory.",
        "Check Box P with the holder.",
    ),
    Outcome.WRONG_TERRITORY_FOR_TYPE: (
        "This voucher is for another territory.",
        "Ask the holder for your territory's voucher.",
    ),
    Outcome.NOT_VALIDATED: (
        "This carnet has not been validated at home.",
        "Ask the holder to have it activated first.",
    ),
    Outcome.NOT_SIGNED: (
        "The holder has not signed this carnet.",
        "Ask the holder to sign it in the wallet.",
    ),
    Outcome.OFFICE_INACTIVE: (
        "This office is unknown, inactive or not yours.",
        "Choose an active office of your region.",
    ),
    Outcome.ROLE_FORBIDDEN: ("This key or role may not do this.", "Ask a colleague with the right role."),
    Outcome.STALE_VERSION: ("The declaration changed since it was scanned.", "Scan the voucher again."),
    Outcome.ITEM_OUT_OF_RANGE: ("An item number is not on the list.", "Correct the item numbers."),
    Outcome.ALREADY_VALIDATED: ("This carnet is already validated.", "Go on with the next voucher."),
    Outcome.NO_OPEN_TRANSIT: (
        "No transit of this carnet is open here.",
        "Check whether the transit was opened.",
    ),
    Outcome.NO_SETS_LEFT: (
        "Not enough voucher sets are left.",
        "Delete an unused travel or ask the issuer for more sets.",
    ),
    Outcome.FINAL_DATE_AFTER_VALIDITY: (
        "The final date is after the carnet's validity.",
        "Choose a date up to the carnet's last day.",
    ),
    Outcome.NOT_CANCELLABLE: ("This transaction cannot be cancelled.", "Ask a controller what to do."),
    Outcome.CANCEL_CODE_INVALID: ("The cancellation code is wrong.", "Ask the holder to show it again."),
    Outcome.LATER_TRANSACTION_EXISTS: (
        "A later transaction depends on this one.",
        "Cancel the later one first.",
    ),
    Outcome.AMEND_CLOSED: ("This carnet can no longer be amended.", "Ask the issuer for a replacement."),
    Outcome.LISTS_OVERLAP: (
        "The item lists contradict each other.",
        "List each item once, processed ones among the declared.",
    ),
    Outcome.SLOT_TAKEN: (
        "Another device prepared a travel meanwhile.",
        "Refresh the carnet and prepare it again.",
    ),
    Outcome.STANZAS_WRONG: (
        "The entry's sealed parts are not those the rules ask for.",
        "Update the client and send it again.",
    ),
    Outcome.RULE_FAULT: (
        "A rule failed on this entry.",
        "Nothing was changed; the operators have been alarmed.",
    ),
    Outcome.KEY_REVOKED: ("The signing key has been revoked.", "Enrol again."),
    Outcome.CERT_EXPIRED: (
        "The desk certificate does not cover this act.",
        "Sign in at the desk again; a controller countersigns what an earlier shift has noted.",
    ),
    Outcome.ENTRY_EXPIRED: ("The entry came after its own deadline.", "Make it again."),
    Outcome.WRONG_LEDGER: (
        "The entry belongs to another ledger.",
        "Check which system you are connected to.",
    ),
    Outcome.ID_NOT_RESERVED: (
        "The carnet ID is not from a pool of yours, or is used.",
        "Reserve IDs and issue again.",
    ),
    Outcome.NUMBER_TAKEN: ("A carnet with this number exists.", "Give the carnet another number."),
    Outcome.ALREADY_SIGNED: (
        "The carnet is already signed.",
        "Refresh the carnet; go on with the first signature.",
    ),
    Outcome.REASON_REQUIRED: (
        "The balance looks wrong and the warning was not acknowledged.",
        "Read the warnings, type a reason, commit again.",
    ),
    Outcome.COUNTERSIGN_NEEDED: (
        "This act needs a controller's signature too.",
        "Ask a controller to countersign.",
    ),
    Outcome.ALREADY_REGISTERED: ("This record exists already.", "Nothing to do, or choose another code."),
    Outcome.PARENT_UNKNOWN: ("The record names a parent that does not exist.", "Register the parent first."),
    Outcome.KEY_WEAK: ("The public key is not a safe one.", "Make a new key."),
    Outcome.DEVICE_UNKNOWN: ("This device is not enrolled for this carnet.", "Enrol it with the carnet PIN."),
    Outcome.TRAVEL_UNKNOWN: ("No such travel.", "Refresh the carnet."),
    Outcome.TRAVEL_TRANSACTED: (
        "A voucher of this travel has been used.",
        "A transacted travel stays as it is.",
    ),
    Outcome.VALIDITY_WRONG: (
        "The validity is longer than one year or already over.",
        "Choose a last day within one year of issue.",
    ),
    Outcome.TICK_EARLY: ("The day's tick is not due or was given.", "Nothing to do."),
    Outcome.OFFSET_WRONG: ("The clock offset is not one of the office's.", "Set the desk's time zone."),
    Outcome.FINAL_DATE_PAST: ("The final date is already over.", "Choose a date from today on."),
    Outcome.FIELD_NOT_OF_KIND: ("A field does not belong to this kind of transaction.", "Leave it out."),
    Outcome.EVENT_TIME_WRONG: (
        "This cannot have happened at that time.",
        "Set the clock right, give the time when it was done, and sign again.",
    ),
    Outcome.NOT_HELD: ("This carnet is not on hold here.", "Refresh the list of holds."),
    Outcome.TRANSACTION_UNKNOWN: (
        "This carnet has no such live transaction.",
        "Refresh the carnet and choose a transaction from its list.",
    ),
    Outcome.NOTICE_UNKNOWN: ("No such pre-notification.", "Refresh the list of arrivals."),
    Outcome.NOTICE_LIVE: (
        "This voucher has a pre-notification that is not decided yet.",
        "Withdraw it, or wait for the office's answer.",
    ),
    Outcome.NOTICE_DECIDED: ("This pre-notification is decided or withdrawn.", "Refresh the list."),
    Outcome.NOT_REPLACEABLE: (
        "This carnet cannot be replaced.",
        "Only a used, valid carnet of your own is replaced, and once.",
    ),
    Outcome.LINK_WRONG: (
        "The link to another carnet does not fit the order type.",
        "Name one carnet of your own for a replacement or twin, none for others.",
    ),
    Outcome.READINESS_NOTICE: (
        "The digital date is not announced early enough, or is not the one notified.",
        "Give five months' notice, then confirm the same date three months before it.",
    ),
    Outcome.SETS_NOT_OF_TYPE: (
        "This carnet type has no such voucher sets in this home.",
        "Order only the sets its reference data lists.",
    ),
    Outcome.NOT_BLOCKED: ("This carnet is already as you want it.", "Refresh the carnet."),
    Outcome.CARNET_IN_USE: ("This carnet has been used or is not open.", "Discharge it instead, or refresh it."),
    Outcome.DELEGATION_OVER: (
        "The holder lent this voucher for another time.",
        "Ask the holder to lend it again, or to renew it.",
    ),
    Outcome.CARNET_ERASED: ("This carnet's contents have been erased.", "Only its dates and numbers are left."),
    Outcome.NOT_ERASABLE: (
        "This carnet may still be claimed on.",
        "Erase it 33 months after its last valid day.",
    ),
    Outcome.RECEIPTS_MISSING: (
        "Too few nodes hold this document.",
        "Store it on half of the nodes, then attach it with their receipts.",
    ),
    Outcome.ATTACHMENT_TOO_LARGE: (
        "A document has at most 5 MB, a carnet's documents 20 MB.",
        "Make it smaller or leave another out.",
    ),
    Outcome.THRESHOLD_MISSED: (
        "Too few root keys signed this.",
        "Have more of the root's keepers sign the same entry.",
    ),
    Outcome.DECISION_WRONG: (
        "This decision of the root cannot follow the last one.",
        "Look at `eata root show`, correct it, and have the keepers sign it anew.",
    ),
    Outcome.ISSUER_NOT_OF_HOME: (
        "This issuer does not issue carnets of that home.",
        "Name a home territory that ICC has registered for you.",
    ),
    Outcome.NUMBER_NOT_OF_ISSUER: (
        "This carnet number is not one of this issuer's.",
        "Begin the number with a prefix that ICC has registered for you.",
    ),
    Outcome.KEY_LIFE_WRONG: (
        "A territory key follows the last generation and lives at most 120 days, from about now on.",
        "Make the next generation with dates that begin within 30 days.",
    ),
    Outcome.CODE_VOIDED: (
        "The holder has taken a device back: this code is void.",
        "Ask the holder to renew the voucher (`eata wallet renew`), or for a new cancellation code (`eata wallet recode`).",
    ),
    Outcome.ALREADY_HELD: (
        "This carnet has its holder.",
        "Have one of its devices admit this one, or type the holder code; all lost: ask the issuer to reset the holder.",
    ),
    Outcome.BUDGET_SPENT: (
        "Nothing more of this kind fits into this carnet.",
        "Ask the issuer for a new carnet, or call the office directly.",
    ),
    Outcome.TERRITORY_UNKNOWN: (
        "That is no customs territory of the ATA system.",
        "Check the code: countries of the EU travel as EU; `eata registry readiness` lists all.",
    ),
    Outcome.CODE_NOT_OF_ADMINISTRATION: (
        "Codes of offices and regions begin with their administration's code, or their territory's.",
        "Choose a code that does.",
    ),
    Outcome.EVENT_AHEAD: (
        "This bears a time that has not come yet: it is not in the log.",
        "Set this computer's clock right. What is kept to be sent again counts once its time has come.",
    ),
    Outcome.PART_TOO_LARGE: ("A sealed part is longer than its kind may be.", "Say it in fewer words."),
    Outcome.TOO_MANY: (
        "This carnet has as many of these as it may have.",
        "Call the issuer, or the office, directly.",
    ),
    Outcome.VERSION_WRONG: (
        "The record is not the next version of what is registered.",
        "Keep its administration and territory, and take effect after the last version.",
    ),
    Outcome.RULES_NOT_ANNOUNCED: (
        "Not every node knows these rules yet.",
        "Update the nodes that `eata status` shows behind, then submit a new decision.",
    ),
    Outcome.REQUEST_ID_REUSED: ("This request id was used for another entry.", "Make a new request id."),
    Outcome.SIGNATURE_INVALID: (
        "A signature is missing or does not verify.",
        "Sign the exact bytes with the right key.",
    ),
    Outcome.KEY_UNKNOWN: ("The author's key is not known.", "Register or enrol the key, or sign in again."),
    Outcome.ENTRY_MALFORMED: ("The entry is not in the frozen form.", "Update the client."),
    Outcome.ENTRY_TOO_LARGE: ("The entry is larger than 512 KiB.", "Send large things as attachments."),
    Outcome.PARTS_WRONG: ("A sealed part does not match the header.", "Send the parts that were signed."),
    Outcome.GROUP_REFUSED: ("The node's group was refused.", "Send the same bytes again."),
}


def sentence(outcome: Outcome) -> str:
    """One sentence for a person."""
    return _TEXT[outcome][0]


def advice(outcome: Outcome) -> str:
    """What the person does next."""
    return _TEXT[outcome][1]


class Refused(Exception):
    """A rule's refusal; `apply` turns it into a logged outcome and discards every write."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(f"{outcome.name}: {detail or sentence(outcome)}")
        self.outcome = outcome
        self.detail = detail


class Skipped(Exception):
    """An entry that never was: no leaf, no outcome; it counts against the node that proposed it."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(f"{outcome.name}: {detail or sentence(outcome)}")
        self.outcome = outcome
        self.detail = detail
