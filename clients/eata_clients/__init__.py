"""Thin clients: customs, wallet, issuer, auditor, over one transport that knows six nodes."""
