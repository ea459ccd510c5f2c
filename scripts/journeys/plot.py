"""What is played: the seed's carnets 883–886 and the guide's carnet (domain §2.6)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scene:
    """One transaction: kind, territory, items, office."""

    kind: str
    territory: str
    items: str
    office: str


@dataclass(frozen=True)
class Play:
    """A carnet and its journey; `days` is the offset of the last valid day from the day of issue."""

    number: str
    issuer: str
    home: str
    box_p: tuple[str, ...]
    currency: str
    holder: str
    goods: tuple[tuple[str, int], ...]
    days: int
    travels: tuple[tuple[Scene, ...], ...]
    expected: str
    reasons: tuple[tuple[str, str, str], ...] = ()


def _ch(kind: str, items: str) -> Scene:
    return Scene(kind, "CH", items, "CH-ZRH")


def _de(kind: str, items: str) -> Scene:
    return Scene(kind, "EU", items, "DE-BER")


def _seed(number: str, days: int, out: str, back: tuple[Scene, ...], expected: str, left: str) -> Play:
    goods = tuple((f"Exhibition stand, part {n}", 235_140) for n in range(1, 21))  # 20 items, 47,028.00 CHF
    travels = ((_ch("VALIDATION", "1-20"), _ch("EXPORTATION", out), _de("IMPORTATION", out)),)
    reasons = (("MISSING_REEXPORTATION", "EU", left), ("MISSING_REIMPORTATION", "CH", left)) if left else ()
    return Play(
        number, "CH-ALLIANCE", "CH", ("EU",), "CHF", "Muster Messebau AG", goods, days,
        travels + ((back,) if back else ()), expected, reasons,
    )  # fmt: skip


# Offsets of the last valid day: 02/06/2021 → 03/06, 07/06, 08/06, 07/06.
SEED = (
    _seed("CHTA00000133", 1, "1-20", (), "To check", "1-20"),
    _seed(
        "CHTA00000134", 5, "1-20", (_de("REEXPORTATION", "1-10"), _ch("REIMPORTATION", "1-10")), "To check", "11-20"
    ),
    _seed(
        "CHTA00000135", 6, "1-20",
        (_de("REEXPORTATION", "1-10"), _de("REEXPORTATION", "11-20"), _ch("REIMPORTATION", "1-10"),
         _ch("REIMPORTATION", "11-20")),
        "Terminated", "",
    ),
    _seed("CHTA00000136", 5, "7-10", (_de("REEXPORTATION", "7-10"), _ch("REIMPORTATION", "7-10")), "Terminated", ""),
)  # fmt: skip


def _xs(kind: str) -> Scene:
    return Scene(kind, "XS", "1-13", "XS-KLOW")


def _xb(kind: str) -> Scene:
    return Scene(kind, "XB", "1-13", "XB-SZOHOD")


# The guide's carnet: transacted at Klow (XS) and Szohôd (XB), so XS is its home territory here.
GUIDE = Play(
    "ES2023990002", "ES-CAMARA", "XS", ("XB",), "EUR", "Ribera Audiovisual SL",
    (*((f"Mini PC Celeron {n}", 15_000) for n in range(1, 11)), ("WLAN Router", 5_500), ("Portable Monitor", 10_000),
     ("Switch", 5_000)),
    364, ((_xs("VALIDATION"), _xs("EXPORTATION"), _xb("IMPORTATION")), (_xb("REEXPORTATION"), _xs("REIMPORTATION"))),
    "Terminated",
)  # fmt: skip

MEMBERS = ("CH", "DE", "FR", "XS", "XB", "CH-ALLIANCE", "ES-CAMARA", "ICC-AUDIT")
ADMINISTRATION = {"CH-ZRH": "CH", "DE-BER": "DE", "XS-KLOW": "XS", "XB-SZOHOD": "XB"}
