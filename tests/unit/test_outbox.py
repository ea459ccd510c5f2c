"""What waits to be sent, in a folder that has been damaged."""

from pathlib import Path

from eata_clients.net.outbox import Outbox
from eata_clients.trust.trust_file import TrustKeeper
from eata_ledger.carnet.vocabulary import Kind
from eata_ledger.log.entry import Entry
from eata_ledger.seal.codes import CodeKeys

from tests.world import World


def test_a_file_that_does_not_read_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, world: World, pin_keys: CodeKeys
) -> None:
    """C19: an empty one, a torn one, and one that is whole."""
    outbox = Outbox(tmp_path)
    [ticket] = world.travel(world.hold(world.issue(), pin_keys), (Kind.VALIDATION, "CH", "1-5"))
    entry: Entry = world.commit_entry(ticket)
    outbox.keep(entry)
    whole = next(tmp_path.glob("*.entry")).read_bytes()
    for name, data in (("00.entry", b""), ("01.entry", whole[:-9]), ("zz.entry", b"\xff")):
        (tmp_path / name).write_bytes(data)
    assert [one.hash for one in outbox.waiting()] == [entry.hash]
    assert sorted(path.stem for path in tmp_path.glob("*.unreadable")) == ["00", "01", "zz"]
    assert [one.hash for one in outbox.waiting()] == [entry.hash]


def test_a_highest_time_that_does_not_read_is_begun_anew(tmp_path: Path) -> None:
    keeper = TrustKeeper(tmp_path, b"\0" * 32)
    (tmp_path / "log-time").write_bytes(b"")
    assert keeper.seen == 0
    keeper.see(5)
    assert keeper.seen == 5
