"""The issuer's client, as the gateway uses it."""
