"""Countries whose customs territory is another: offline reference for journey files and clients.

The ledger itself knows territories only from registered records with effective dates (domain §3.4).
"""

EU_MEMBERS = frozenset(
    ["AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE"]
    + ["IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE"]
)


def territory_of(country: str) -> str:
    """The customs territory of an ISO country code: DE counts as EU, LI as CH, all others as themselves."""
    code = country.strip().upper()
    if code in EU_MEMBERS:
        return "EU"
    return "CH" if code == "LI" else code
