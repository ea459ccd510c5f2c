"""What a node checks of its own `verify` before it starts: a library that accepts more would fork the replicas."""

from eata_ledger.log.keys import acceptable, verify

# (good, why, public key, signature, message), as in tests/vectors/signatures.json
_CASES = (
    (True, "RFC 8032 §7.1 test 1",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b", ""),
    (False, "S not reduced (malleable)",
     "bb6d774ea23dfb4d6510f04effa79fca281c046cb39143b101cb451d0919afa9",
     "d69e4461aecb046dbbed1db1a763dcdc15375d0fc37f3e32473183b37cf1e4d0e97d2ceb0b869afee7db0998ed70cdd615c766e1ea2fd2e8d07d50cf74c3d619", "65415441"),
    (False, "small-order key, zero signature",
     "0100000000000000000000000000000000000000000000000000000000000000",
     "01000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "65415441"),
    (False, "non-canonical key",
     "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
     "01000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "65415441"),
)  # fmt: skip


def check_verify() -> None:
    """Raises `RuntimeError` where this machine's libsodium differs from the frozen vectors."""
    for good, why, public, signature, message in _CASES:
        if verify(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message)) is not good:
            raise RuntimeError(f"this machine verifies signatures differently ({why}); the node stays down")
    if acceptable(bytes(32)):
        raise RuntimeError("this machine accepts a small-order key; the node stays down")
