"""Work beside training: its order, its failures, and runs whose bits it must not change."""

import threading

import pytest

from prunescope.training import aside as module
from prunescope.training.aside import Aside, Lost


@pytest.fixture
def aside():
    made = Aside()
    yield made
    made.close()


def test_pieces_are_done_in_order_in_another_thread(aside):
    seen = []
    for number in range(20):
        aside.do(lambda number=number: seen.append((number, threading.current_thread().name)))
    aside.wait()
    assert seen == [(number, "aside") for number in range(20)]


def test_training_goes_on_and_waits_only_while_too_many_wait(aside):
    gate, seen = threading.Event(), []
    aside.do(gate.wait)
    for number in range(module.WAITING - 1):
        aside.do(lambda number=number: seen.append(number))
    assert not seen  # handed over, and this thread has gone on
    opened = threading.Timer(0.05, gate.set)
    opened.start()
    aside.do(lambda: seen.append("last"))
    assert gate.is_set()
    aside.wait()
    assert seen == [*range(module.WAITING - 1), "last"]


def test_what_fails_once_is_done_again_in_its_place(aside):
    seen, tries = [], []

    def short_of_memory():
        tries.append(threading.current_thread().name)
        if len(tries) == 1:
            raise MemoryError
        seen.append("second")

    for piece in (lambda: seen.append("first"), short_of_memory, lambda: seen.append("third")):
        aside.do(piece)
    aside.wait()
    assert seen == ["first", "second", "third"] and tries == ["aside", "MainThread"]
    aside.do(lambda: seen.append(threading.current_thread().name))
    aside.wait()
    assert seen[-1] == "aside"


def test_what_fails_twice_ends_everything_that_comes_after_it(aside):
    seen = []

    def broken():
        raise ValueError("no such column")

    aside.do(broken)
    with pytest.raises(Lost, match="failed twice: no such column"):
        aside.wait()
    for late in (aside.wait, lambda: aside.do(lambda: seen.append("incomplete"))):
        with pytest.raises(Lost, match="goes on from its checkpoint"):
            late()
    assert not seen
