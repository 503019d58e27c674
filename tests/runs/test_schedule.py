from specimens import recipe as make_recipe
from specimens import risk

from prunescope.base.streams import replicate
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


def test_10000_pieces_of_work_are_scheduled_at_once(store):
    left = plan(
        [risk(run) for k in range(50) for run in imp(make_recipe().replace(seeds=replicate(k)), levels=99)],
        store,
    )
    schedule, recorder = WorkQueue(left, dict.fromkeys(left.work, 1.0), Display()), Recorder(8)
    schedule.run(recorder)
    assert len(recorder.given) == 10_000
    done = {key: place for place, key in enumerate(recorder.given)}
    assert all(done[before] < done[key] for key, waits in left.waits.items() for before in waits)
