"""etcd members with every way between two of them in our hands: delayed one by one, or cut.

A member advertises one name to all the others. Here each has a hosts file of its own, in a mount namespace of its own, in
which the others' names lead to relays that only it uses.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import permutations

from eata_node.engine.members import Members
from eata_node.ground.config import EtcdMember

from tests.relay import Relay, relayed

_BOUND = 'mount --bind "$HOSTS" /etc/hosts && exec "$@"'


@lru_cache(maxsize=1)
def possible() -> bool:
    """Mount namespaces take `unshare` and the right to mount in them: tried once."""
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "--mount", "mount", "--bind", "/etc/hosts", "/etc/hosts"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class Apart(Members):
    """`ways` by (from, to), names of members."""

    def __init__(self, plain: Members, ways: dict[tuple[str, str], Relay]) -> None:
        super().__init__(plain.home, plain.members, plain.ledger, plain.quota)
        self.ways = ways

    def _peer_url(self, member: EtcdMember) -> str:
        return f"https://{member.name}:{_port(member)}"

    def _command(self, name: str) -> list[str]:
        hosts = self._folder(name) / "hosts"
        lines = ["127.0.0.1 localhost", f"127.0.0.1 {name}"]
        lines += [f"{relay.address.partition(':')[0]} {to}" for (one, to), relay in self.ways.items() if one == name]
        hosts.write_text("\n".join(lines) + "\n")
        return ["unshare", "--mount", "sh", "-c", _BOUND.replace("$HOSTS", str(hosts)), "sh", *super()._command(name)]

    def isolate(self, name: str, cut: bool = True) -> None:
        """No other member is reached from it, nor it from them; its clients are not touched."""
        for way, relay in self.ways.items():
            if name in way:
                relay.cut = cut


def _port(member: EtcdMember) -> str:
    return member.peer.rpartition(":")[2]


@contextmanager
def kept_apart(plain: Members) -> Iterator[Apart]:
    """The same members, which have not been started."""
    members = plain.members
    number = {member.name: 10 + n for n, member in enumerate(members)}
    pairs = list(permutations(members, 2))
    addresses = [f"127.0.{number[one.name]}.{number[to.name]}:{_port(to)}" for one, to in pairs]
    with relayed([to.peer for _, to in pairs], addresses) as relays:
        yield Apart(plain, {(one.name, to.name): relay for (one, to), relay in zip(pairs, relays, strict=True)})
