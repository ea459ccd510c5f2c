"""An entry's public facts by name: what programs and people get in place of the array that is hashed (docs/formats.md)."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from eata_ledger.carnet.dates import iso
from eata_ledger.carnet.vocabulary import (
    AskKind,
    CarnetType,
    Flag,
    Kind,
    NoticeKind,
    Purpose,
    ReadinessStage,
    SetKind,
    Topic,
)
from eata_ledger.encoding import Value
from eata_ledger.log.bodies import EntryType

Shown = Callable[[Any], Any]


def _as_is(value: Any) -> Any:
    return (
        value.hex()
        if isinstance(value, bytes)
        else [_as_is(one) for one in value]
        if isinstance(value, list)
        else value
    )


def _of(kind: type[IntEnum]) -> Shown:
    return lambda value: kind(value).name


def _day(value: Any) -> Any:
    return None if value is None else iso(value)


def _flags(value: Any) -> list[str]:
    return [flag.name or "" for flag in Flag(value)]


def _sets(value: Any) -> dict[str, int]:
    return {SetKind(kind).name: count for kind, count in value}


def _vouchers(value: Any) -> list[dict[str, Any]]:
    names = ("slot", "declaration", "listed", "replaces")
    return [dict(zip(names, map(_as_is, one), strict=True)) for one in value]


_HOW: Mapping[str, Shown] = {
    "kind": _of(Kind), "flags": _flags, "final_date": _day, "valid_until": _day, "effective": _day, "digital_from": _day,
    "day": _day, "stage": _of(ReadinessStage), "topic": _of(Topic), "purpose": _of(Purpose), "sets": _sets,
    "unused": _sets, "vouchers": _vouchers, "carnet_type": _of(CarnetType), "notice_kind": _of(NoticeKind),
    "ask": _of(AskKind),
}  # fmt: skip
_T = EntryType
_AT_OFFICE = ("number", "carnet_id", "territory", "office")
_DECLARED = ("carnet_id", "vouchers", "number", "issuer", "home", "valid_until", "validated", "test")
_NAMES: Mapping[EntryType, tuple[str, ...]] = {
    _T.RESERVE_IDS: ("first", "last"),
    _T.ISSUE: ("number", "carnet_id", "home", "valid_until", "items", "test"),
    _T.AMEND: ("number", "carnet_id", "content", "valid_until", "items"),
    _T.ADD_SETS: ("number", "carnet_id", "sets"),
    _T.BLOCK: ("number", "carnet_id"), _T.UNBLOCK: ("number", "carnet_id"), _T.CANCEL_CARNET: ("number", "carnet_id"),
    _T.DISCHARGE: ("number", "carnet_id", "unused", "prepared", "blocked"),
    _T.SIGN: ("carnet_id", "content", "terms"),
    _T.TRAVEL: _DECLARED, _T.EDIT_TRAVEL: _DECLARED, _T.RENEW: _DECLARED,
    _T.DELETE_TRAVEL: ("carnet_id", "travel"),
    _T.COMMIT: (
        "number", "carnet_id", "kind", "territory", "office", "items", "not_returned", "event_time", "offset", "final_date",
        "flags",
    ),
    _T.CANCEL: ("number", "carnet_id", "about", "kind", "territory", "office"),
    _T.REJECT: ("number", "carnet_id", "slot", "territory", "office"), _T.HOLD: _AT_OFFICE, _T.RELEASE: _AT_OFFICE,
    _T.NOTIFY: ("number", "carnet_id", "slot", "territory", "office", "notice_kind"),
    _T.ASK: ("number", "carnet_id", "ask", "sets"),
    _T.ANSWER: ("number", "carnet_id", "slot", "territory", "office", "acknowledged"),
    _T.WITHDRAW: ("number", "carnet_id", "slot", "territory", "office"),
    _T.DISAGREE: ("number", "carnet_id", "about", "territory", "office"),
    _T.DELEGATE: ("carnet_id", "slot", "territory", "valid_from", "valid_to"),
    _T.ENROL_DEVICE: ("carnet_id", "device"), _T.ADMIT_DEVICE: ("carnet_id", "device"),
    _T.REVOKE_DEVICE: ("carnet_id", "devices"), _T.RECODE: ("carnet_id", "slots"),
    _T.ROTATE_PIN: ("number", "carnet_id"), _T.RESET_HOLDER: ("number", "carnet_id"), _T.SHRED: ("number", "carnet_id"),
    _T.ADD_STANZA: ("carnet_id", "about"), _T.ATTACH: ("number", "carnet_id", "document", "length"),
    _T.READINESS: ("territory", "stage", "digital_from"), _T.PUBLISH: ("topic", "key"),
    _T.ACCEPTANCE: ("territory", "effective"), _T.VOUCHER_SETS: ("carnet_type", "home", "effective"),
    _T.PROVISIONAL: ("administration", "goods_pass"), _T.TICK: ("day",),
    _T.REGISTER_ORGANISATION: ("code",), _T.REGISTER_ADMINISTRATION: ("code",),
    _T.REGISTER_TERRITORY: ("code", "digital_from"), _T.REGISTER_REGION: ("code", "territory"),
    _T.REGISTER_OFFICE: ("code", "territory"), _T.DESCRIBE_OFFICE: ("office", "region"),
    _T.REGISTER_DESK_CA: ("administration",), _T.REGISTER_TERRITORY_KEY: ("territory", "generation"),
    _T.REVOKE_KEY: ("key", "purpose", "owner"), _T.REGISTER_NODE: ("name", "node"), _T.REMOVE_NODE: ("name",),
    _T.ROTATE_ROOT: ("keys", "threshold"), _T.ROTATE_OPERATIONS: ("key",), _T.ACTIVATE_RULES: ("rules",),
}  # fmt: skip


def named(facts: Value) -> dict[str, Any]:
    """The facts as an object: `type`, then each by its name; by place (`1`, `2`, …) where a type has no names yet.

    Dates are ISO, kinds and flags names, bytes hex, times ms UTC.
    """
    match facts:
        case [int(number), *values] if number in set(EntryType):
            kind = EntryType(number)
        case _:
            return {"values": _as_is(facts)}
    names = _NAMES.get(kind, ())
    if len(names) != len(values):
        names = tuple(str(place) for place in range(1, len(values) + 1))
    shown = {name: _HOW.get(name, _as_is)(value) for name, value in zip(names, values, strict=True)}
    return {"type": kind.name, **shown}
