"""The NICS gateway: what issuers connect to; it seals at the edge."""
