"""Work beside training: its order, its failures, and runs whose bits it must not change."""

import threading

import pytest

from prunescope.training import background as module
from prunescope.training.background import Background, Lost


@pytest.fixture
def background():
    made = Background()
    yield made
    made.close()


def test_pieces_are_done_in_order_in_another_thread(background):
    seen = []
    for number in range(20):
        background.do(lambda number=number: seen.append((number, threading.current_thread().name)))
    background.wait()
    assert seen == [(number, "background") for number in range(20)]


def test_training_goes_on_and_waits_only_while_too_many_wait(background):
    gate, seen = threading.Event(), []
    background.do(gate.wait)
    for number in range(module.WAITING - 1):
        background.do(lambda number=number: seen.append(number))
    assert not seen  # handed over, and this thread has gone on
    opened = threading.Timer(0.05, gate.set)
    opened.start()
    background.do(lambda: seen.append("last"))
    assert gate.is_set()
    background.wait()
    assert seen == [*range(module.WAITING - 1), "last"]


def test_what_fails_once_is_done_again_in_its_place(background):
    seen, tries = [], []

    def short_of_memory():
        tries.append(threading.current_thread().name)
        if len(tries) == 1:
            raise MemoryError
        seen.append("second")

    for piece in (lambda: seen.append("first"), short_of_memory, lambda: seen.append("third")):
        background.do(piece)
    background.wait()
    assert seen == ["first", "second", "third"] and tries == ["background", "MainThread"]
    background.do(lambda: seen.append(threading.current_thread().name))
    background.wait()
    assert seen[-1] == "background"


def test_what_fails_twice_ends_everything_that_comes_after_it(background):
    seen = []

    def broken():
        raise ValueError("no such column")

    background.do(broken)
    with pytest.raises(Lost, match="failed twice: no such column"):
        background.wait()
    for late in (background.wait, lambda: background.do(lambda: seen.append("incomplete"))):
        with pytest.raises(Lost, match="goes on from its checkpoint"):
            late()
    assert not seen
