import pytest
from specimens import recipe as make_recipe
from specimens import risk

from prunescope.base.streams import replicate
from prunescope.runs.execution import queue
from prunescope.runs.execution.messages import Message
from prunescope.runs.execution.queue import WorkQueue
from prunescope.runs.execution.status import Display
from prunescope.runs.graph.families import imp
from prunescope.runs.store.plan import plan


class Recorder:
    """An executor that only writes down what it is given."""

    def __init__(self, workers):
        self.workers, self.given, self.said = workers, [], []

    def start(self, worker, work):
        self.given.append(work.id)
        self.said += [Message(work.id, "done"), Message("", "free", worker=worker)]

    def wait(self, seconds):
        said, self.said = self.said, []
        return said

    def stop(self):
        pass


def test_the_longest_remaining_path_comes_first(store, recipe):
    long, short = imp(recipe, levels=3), recipe.replace(seeds=replicate(1))
    left = plan([short, risk(short), risk(long[3])], store)
    schedule, recorder = WorkQueue(left, dict.fromkeys(left.work, 1.0), Display()), Recorder(1)
    schedule.run(recorder)
    assert recorder.given[:2] == [long[0].id, long[1].id]
    assert recorder.given.index(long[2].id) < recorder.given.index(risk(short).id)
    assert len(recorder.given) == 7
    assert schedule.status().runs_done == 5


def test_what_stands_still_takes_at_least_as_long_again(store, recipe, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(queue.time, "monotonic", lambda: now[0])
    left = plan([recipe], store)
    schedule = WorkQueue(left, {recipe.id: 40.0}, Display())
    schedule.running[0] = [recipe.id]
    told = []
    for now[0] in (1.0, 30.0, 60.0, 90.0):
        told.append(schedule.status().seconds_left)
    assert told == [40.0, 40.0, 60.0, 90.0]
    schedule.receive(Message(recipe.id, "beat", steps=recipe.steps // 2))
    assert schedule.status().seconds_left == pytest.approx(40.0 * (1 - (recipe.steps // 2) / recipe.steps))


def test_thousands_of_pieces_of_work_are_scheduled_at_once(store):
    left = plan(
        [risk(run) for k in range(15) for run in imp(make_recipe().replace(seeds=replicate(k)), levels=99)],
        store,
    )
    schedule, recorder = WorkQueue(left, dict.fromkeys(left.work, 1.0), Display()), Recorder(8)
    schedule.run(recorder)
    assert len(recorder.given) == 3_000
    done = {key: place for place, key in enumerate(recorder.given)}
    assert all(done[before] < done[key] for key, waits in left.waits.items() for before in waits)


def test_what_others_have_stored_is_noticed_all_at_once(store, recipe, monkeypatch):
    """Somebody else does all but the first piece while this process waits for that."""
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.0)
    runs = [recipe.replace(seeds=replicate(k)) for k in range(20)]
    left = plan([risk(run) for run in runs], store)
    done: dict[str, str] = {}

    class Busy(Recorder):
        def start(self, worker, work):
            self.given.append(work.id)
            self.said += [Message(work.id, "busy", why="process 1 of other"), Message("", "free", worker=worker)]
            done.update({key: "" for key in left.work if key != runs[3].id and key != risk(runs[3]).id})
            done[runs[3].id] = "the loss is nan"

    schedule, recorder = WorkQueue(left, dict.fromkeys(left.work, 1.0), Display(), stored=lambda keys: done), Busy(1)
    schedule.run(recorder)
    assert len(recorder.given) == 1
    assert schedule.failures == {runs[3].id: "the loss is nan"}
    assert schedule.status().runs_done == 20
