"""Which stream a program's kernels go to, told from what a GPU would be asked for."""

from contextlib import contextmanager

import pytest
import torch
from test_interventions import program_for

from prunescope.base.streams import replicate
from prunescope.training.engines.stack import Advance, Stack
from prunescope.training.engines.stacked import side_by_side
from prunescope.training.engines.stacked.side_by_side import Streams
from prunescope.training.run import Member

GPU = torch.device("cuda")


class Recorder:
    """A stream that notes which others it waits for."""

    def __init__(self, asked, name):
        self.asked, self.name = asked, name

    def wait_stream(self, other):
        self.asked.append((self.name, "waits for", other.name))


@pytest.fixture
def asked(monkeypatch):
    """What was asked for, in order; 0 is the stream at the beginning, others are numbered as they are made."""
    found, made, here = [], [], []

    def make(device=None):
        made.append(Recorder(found, len(made)))
        return made[-1]

    @contextmanager
    def stream(which):
        here.append(which)
        try:
            yield
        finally:
            here.pop()

    here.append(make())
    monkeypatch.setattr(torch.cuda, "Stream", make)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: here[-1])
    choose = Streams.choose
    monkeypatch.setattr(Streams, "choose", lambda self, device, taken: choose(self, GPU, taken))
    take = Advance.take

    def told(self, steps):
        found.append((here[-1].name, "trains", self.replicas[0].stepper.program.seeds.order))
        take(self, steps)

    monkeypatch.setattr(Advance, "take", told)
    return found


def replicas_of(lab, count):
    programs = [program_for(lab, seeds=replicate(k)) for k in range(count)]
    return [Member(program, lab.begin(program, seed=k)).replica for k, program in enumerate(programs)]


def test_every_program_keeps_its_stream_from_call_to_call(lab, asked):
    stack, replicas = Stack(size=8, method="streams"), replicas_of(lab, 3)
    for _ in range(3):
        asked.clear()
        replicas = stack.advance(replicas, 1)
        apart = [step for k in range(3) for step in ((k + 1, "waits for", 0), (k + 1, "trains", k))]
        assert asked == [*apart, *((0, "waits for", k + 1) for k in range(3))]


def test_what_stays_keeps_its_stream_when_others_leave_and_who_comes_takes_a_free_one(lab, asked):
    stack, replicas = Stack(size=8, method="streams"), replicas_of(lab, 4)
    replicas = stack.advance(replicas[:3], 1) + replicas[3:]
    asked.clear()
    stack.advance([replicas[0], *replicas[2:]], 1)
    assert [step for step in asked if step[1] == "trains"] == [
        (1, "trains", 0),
        (3, "trains", 2),
        (2, "trains", 3),
    ]


def test_a_program_by_itself_stays_where_it_is(lab, asked):
    Stack(size=8).advance(replicas_of(lab, 3), 1)
    assert asked == [(0, "trains", 0)]


def test_after_a_failure_too_what_comes_next_waits_for_all_streams(lab, asked, monkeypatch):
    take = Advance.take

    def short(self, steps):
        if self.replicas[0].stepper.program.seeds.order == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        take(self, steps)

    monkeypatch.setattr(Advance, "take", short)
    with pytest.raises(torch.OutOfMemoryError):
        Stack(size=8, method="streams").advance(replicas_of(lab, 3), 1)
    assert asked[-3:] == [(0, "waits for", k) for k in (1, 2, 3)]


def test_more_programs_than_streams_share_them_evenly(asked, monkeypatch):
    monkeypatch.setattr(side_by_side, "MOST", 3)
    streams, taken = Streams(), []
    for _ in range(7):
        taken.append(streams.choose(GPU, taken))
    assert [stream.name for stream in taken] == [1, 2, 3, 1, 2, 3, 1]
    assert streams.choose(GPU, taken[1:]).name == 1


def test_a_cpu_has_none():
    assert Streams().choose(torch.device("cpu"), []) is None
