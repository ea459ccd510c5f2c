"""`eata customs answer ID`: ids are plain in the log, and a holder may give a notice of its own another's id."""

from dataclasses import replace

import pytest
from eata_clients.commands.desk_decisions import meant
from eata_clients.opened.arrivals import Arrival
from eata_host.faults import Fault
from eata_ledger.carnet.vocabulary import NoticeKind, NoticeState
from eata_ledger.state import Notice

ID = bytes(range(16))


def test_a_copied_id_is_answered_on_the_carnet_that_is_named() -> None:
    notice = Notice(ID, 883, 3, "DEBER", NoticeKind.PREDECLARATION, NoticeState.SENT, 0, 7, None)
    real = Arrival("CHTA00000133", notice, "IMPORTATION", None, None, None, None, None)
    copied = replace(real, number="CHTA00000999", notice=replace(notice, carnet_id=884))
    assert meant([real], ID, 0) is real
    with pytest.raises(Fault) as caught:
        meant([copied, real], ID, 0)
    assert caught.value.code == "NOTICE_DOUBLED"
    assert "--carnet 883" in caught.value.message
    assert meant([copied, real], ID, 883) is real
    with pytest.raises(Fault) as caught:
        meant([copied, real], bytes(16), 0)
    assert caught.value.code == "NOTICE_UNKNOWN"
