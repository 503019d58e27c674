"""Several processes on one store neither corrupt it nor repeat each other's work."""

import subprocess
import sys
import threading
import time

import pytest
from specimens import contents, risk

from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.store import lease
from prunescope.runs.store.plan import Job
from prunescope.runs.store.store import Store
from prunescope.training.engines.engine import Loop
from prunescope.training.run import train_together


@pytest.mark.slow
def test_two_at_once_share_the_work(victim, tmp_path):
    told = victim("two", tmp_path)
    assert told["equal"]
    assert told["workers"] == 2
    assert len(told["done"]) == len(set(told["done"])) == 8, "nothing is done twice"
    assert told["left"] == []


def test_who_finds_a_lease_waits_and_uses_the_result(store, recipe, trained):
    held = lease.acquire(store, recipe.id)
    waiting = threading.Event()

    def work():
        waiting.wait(10)
        time.sleep(0.7)  # longer than it takes to ask again
        member, checkpointer = (bench := Workbench(store)).member(
            Job(recipe), lambda steps: True, setting=bench.setting
        )
        train_together([member], Loop())
        bench.finish(recipe, member, checkpointer)
        held.release()

    other = threading.Thread(target=work)
    other.start()
    waiting.set()
    results = ensure(risk(recipe), store=store, workers=1)
    other.join()
    assert trained == [recipe.id], "only the holder trained"
    assert 0 <= float(results[risk(recipe)]["error"]) <= 1


def test_a_store_may_be_opened_by_many_at_once(tmp_path):
    problems = []

    def make():
        try:
            Store(tmp_path / "new")
        except Exception as problem:
            problems.append(problem)

    makers = [threading.Thread(target=make) for _ in range(16)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert problems == []
    assert contents(tmp_path / "new") == {}


def test_no_worker_hears_ctrl_c_not_even_the_first_while_it_starts():
    """multiprocessing starts its tracker of resources with the first process, and unblocks signals afterwards."""
    code = (
        "import signal, subprocess\n"
        "from prunescope.runs.execution.executors.processes import _interrupts_blocked\n"
        "from multiprocessing import resource_tracker\n"
        "with _interrupts_blocked():\n"
        "    resource_tracker.getfd()\n"
        "    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
        "print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "False"]
