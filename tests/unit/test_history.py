"""The checker of histories finds every kind of lie: lost, doubled, invented, reordered, stale for the one who knew."""

from math import inf

import pytest

from tests.history import Commit, Op, Read, explained

A, B = b"a", b"b"


def commit(
    client: int, start: float, end: float, entry: bytes, accepted: bool | None, slot: int = 1, carnet: int = 1
) -> Op:
    return Commit(client, carnet, start, end, slot, entry, accepted)


def read(client: int, start: float, end: float, *slots: int) -> Op:
    return Read(client, 1, start, end, frozenset(slots))


GOOD = {
    "one of two rivals, whichever": [commit(1, 0, 9, A, True), commit(2, 1, 8, B, False)],
    "the earlier call may come second": [commit(1, 0, 9, A, False), commit(2, 1, 8, B, True)],
    "the same bytes again": [commit(1, 0, 1, A, True), commit(1, 2, 3, A, True)],
    "unanswered and in force": [commit(1, 0, inf, A, None), commit(2, 5, 6, B, False)],
    "unanswered and never there": [commit(1, 0, inf, A, None), commit(2, 5, 6, B, True)],
    "another's read may lag": [commit(1, 0, 1, A, True), read(2, 5, 6)],
    "and catch up": [commit(1, 0, 1, A, True), read(2, 5, 6), read(2, 7, 8, 1)],
    "a read beside the commit": [commit(1, 0, 9, A, True), read(2, 1, 2, 1)],
    "slots do not touch": [commit(1, 0, 1, A, True), commit(2, 2, 3, B, True, slot=2), read(1, 4, 5, 1, 2)],
}
BAD = {
    "both rivals accepted": [commit(1, 0, 9, A, True), commit(2, 1, 8, B, True)],
    "neither accepted": [commit(1, 0, 9, A, False), commit(2, 1, 8, B, False)],
    "refused before the other began": [commit(1, 0, 1, B, False), commit(2, 2, 3, A, True)],
    "accepted, then forgotten": [commit(1, 0, 1, A, True), commit(2, 2, 3, B, True)],
    "accepted, then refused to its author": [commit(1, 0, 1, A, True), commit(1, 2, 3, A, False)],
    "lost for the one who was told": [commit(1, 0, 1, A, True), read(1, 2, 3)],
    "seen, then gone": [commit(1, 0, 1, A, True), read(2, 2, 3, 1), read(2, 4, 5)],
    "shown before it was sent": [read(2, 0, 1, 1), commit(1, 2, 3, A, True)],
    "shown and never sent": [read(2, 0, 1, 7)],
    "two readers, two orders": [
        commit(1, 0, 9, A, True), commit(2, 0, 9, B, True, slot=2), read(3, 1, 2, 1), read(3, 3, 4, 1, 2),
        read(4, 1, 2, 2), read(4, 3, 4, 1, 2),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_may_happen_is_explained(name: str) -> None:
    assert explained(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_may_not_happen_is_found(name: str) -> None:
    assert explained(BAD[name]) == [1]


def test_each_carnet_is_checked_alone() -> None:
    other = [commit(3, 0, 1, A, True, carnet=2), commit(4, 2, 3, B, True, carnet=2)]
    assert explained([*GOOD["the same bytes again"], *other]) == [2]
