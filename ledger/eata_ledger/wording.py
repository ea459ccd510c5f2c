"""What a refusal says to a holder or an issuer, where the officer's sentence would be addressed to the wrong person."""

from enum import Enum

from eata_ledger.outcomes import Outcome, advice, sentence


class Audience(Enum):
    """Who reads it."""

    OFFICER = "officer"
    HOLDER = "holder"
    ISSUER = "issuer"


_HOLDER: dict[Outcome, tuple[str, str]] = {
    Outcome.CODE_INVALID: ("This code is not one of the carnet's.", "Type it again, or scan the QR."),
    Outcome.CODE_CONSUMED: ("This voucher has already been used.", "Show the next one; `eata wallet show` lists them."),
    Outcome.CARNET_CANCELLED: ("Your issuer has cancelled this carnet.", "Ask your issuer for another."),
    Outcome.CARNET_TERMINATED: (
        "This carnet has been discharged.",
        "Ask your issuer for another for your next journey.",
    ),
    Outcome.CARNET_BLOCKED: ("Your issuer has blocked this carnet.", "Call your issuer."),
    Outcome.CARNET_EXPIRED: (
        "This carnet's last day is over.",
        "You can still declare goods on their way back; for anything else ask your issuer.",
    ),
    Outcome.TERRITORY_NOT_IN_BOX_P: (
        "This carnet is not valid there.",
        "See Box P for where it is; ask your issuer for another carnet.",
    ),
    Outcome.WRONG_TERRITORY_FOR_TYPE: (
        "This kind of declaration is not made there.",
        "Validation, export and re-import are made at home, import, re-export and transit abroad.",
    ),
    Outcome.NOT_VALIDATED: (
        "Your carnet has not been validated yet.",
        "Have it validated at home before the first journey.",
    ),
    Outcome.NOT_SIGNED: ("You have not signed this carnet, or it was amended since.", "Sign it: `eata wallet sign`."),
    Outcome.ROLE_FORBIDDEN: ("This is not yours to do.", "Ask your issuer."),
    Outcome.STALE_VERSION: ("Your issuer has amended the carnet.", "Look at it again and sign it: `eata wallet sign`."),
    Outcome.ITEM_OUT_OF_RANGE: ("An item number is not on your list.", "See the list's numbers: `eata wallet show`."),
    Outcome.NO_SETS_LEFT: (
        "Too few voucher sets are left.",
        "Delete a travel that you do not need, or ask your issuer for more.",
    ),
    Outcome.KEY_REVOKED: ("This device has been taken off the carnet.", "Join again, or ask your issuer."),
    Outcome.CODE_VOIDED: (
        "This code is void since a device was taken off the carnet.",
        "Renew the voucher: `eata wallet renew`.",
    ),
    Outcome.TERRITORY_UNKNOWN: (
        "That is no customs territory of the ATA system.",
        "Check the country's code, such as DE or US.",
    ),
    Outcome.OFFICE_INACTIVE: (
        "That office is not open, or not in the voucher's territory.",
        "Choose an active office of the territory that the voucher is for.",
    ),
}
_ISSUER: dict[Outcome, tuple[str, str]] = {
    Outcome.CARNET_CANCELLED: ("You have cancelled this carnet already.", "Nothing more can be done with it."),
    Outcome.CARNET_TERMINATED: ("You have discharged this carnet already.", "Nothing more can be done with it."),
    Outcome.CARNET_BLOCKED: ("You have blocked this carnet.", "Unblock it first."),
    Outcome.CARNET_EXPIRED: ("This carnet's last day is over.", "Issue another carnet."),
    Outcome.NOT_SIGNED: ("The holder has not signed this carnet.", "Ask the holder to sign it in the wallet."),
    Outcome.ROLE_FORBIDDEN: ("This carnet or this act is not yours.", "Use the key of the issuer that issued it."),
    Outcome.STALE_VERSION: ("The carnet has another version by now.", "Read it again and send the next version."),
    Outcome.ITEM_OUT_OF_RANGE: ("An item number is not on the carnet's list.", "Correct the item numbers."),
    Outcome.AMEND_CLOSED: (
        "This carnet can no longer be amended: 30 days are over, or it has been used.",
        "Issue a replacement.",
    ),
    Outcome.TERRITORY_UNKNOWN: (
        "That is no registered customs territory.",
        "Check the codes of home and Box P: `eata registry readiness` lists all.",
    ),
    Outcome.KEY_REVOKED: ("Your organisation's key has been revoked.", "Call ICC operations."),
}
_WORDS: dict[Audience, dict[Outcome, tuple[str, str]]] = {
    Audience.OFFICER: {},
    Audience.HOLDER: _HOLDER,
    Audience.ISSUER: _ISSUER,
}


def words(outcome: Outcome, reader: Audience) -> tuple[str, str]:
    """The sentence and the advice for whoever reads it."""
    return _WORDS[reader].get(outcome, (sentence(outcome), advice(outcome)))
