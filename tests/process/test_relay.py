"""The relay that tests and benchmarks put between processes leaves nothing behind, at whatever moment it ends."""

import gc
import socket

import pytest

from tests.relay import relayed


@pytest.mark.parametrize("cut", [False, True])
def test_what_a_relay_accepted_is_closed_with_it_even_where_nobody_served_it_yet(cut: bool) -> None:
    """A connection that is left to the garbage collector fails another test, minutes later."""
    with socket.create_server(("127.0.0.1", 0)) as there:
        with relayed([f"127.0.0.1:{there.getsockname()[1]}"]) as [relay]:
            relay.cut = cut
            host, _, port = relay.address.rpartition(":")
            callers = [socket.create_connection((host, int(port))) for _ in range(20)]
        for caller in callers:
            caller.close()
    gc.collect()  # what is left to it is an error of this test


def test_a_relay_says_that_its_address_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        with pytest.raises(OSError, match="in use"), relayed([address], [address]):
            pass
