"""Lives and deaths of a process that works on a store: a script that reads what to do and prints it as a line of JSON.

Belongs here: what must happen outside the process of the tests. It imports torch once and forks, so that a life costs
milliseconds. What to do stands behind its name (`kill FOLDER 1000`), or in lines of JSON on its standard input.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from specimens import check_whole, contents, recipe, risk, study

from prunescope.base.reference import Moment
from prunescope.base.streams import replicate
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.execution.workbench import Workbench
from prunescope.runs.graph.families import imp
from prunescope.runs.machine import pricing
from prunescope.runs.store.store import Store
from prunescope.training.schedules import Constant
from prunescope.training.stopping import LossBelow

CRASHED = 9


def live(work: Callable[..., object], *args: object, **options: object) -> int:
    """Calls `work` in a forked process; its id."""
    process = os.fork()
    if process == 0:
        try:
            pricing.CALIBRATION_SECONDS = 0.0
            os.fsync = lambda file: None  # which is for the machine's death, not the process's
            work(*args, **options)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return process


def end(process: int) -> int:
    """How the process ended: its exit code, or minus a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def finish(process: int) -> None:
    """Waits for a process that must end well."""
    if (code := end(process)) != 0:
        raise SystemExit(f"a life ended with {code}")


def kill(folder: Path, fewest: int) -> dict[str, object]:
    """Kills a study at random times until it is done, again and again; compares with one that was left alone."""
    reference, delays = folder / "reference", random.Random(0)
    began = time.monotonic()
    finish(live(ensure, study(), store=reference, workers=1))
    alone = time.monotonic() - began
    kills, equal, rounds = 0, True, 0
    while kills < fewest:
        store, rounds, done, patience = folder / f"round-{rounds}", rounds + 1, False, 0.4 * alone
        while not done:
            process = live(ensure, study(), store=store, workers=1, checkpoint_seconds=0.0)
            time.sleep(delays.uniform(0.02, patience))
            patience *= 1.1  # a busy machine may need more to get anywhere
            os.kill(process, signal.SIGKILL)
            done = end(process) == 0
            kills += not done
            if store.exists() and (store / "SCHEMA").exists():
                check_whole(store)
        equal = equal and contents(store) == contents(reference)
    return {"kills": kills, "rounds": rounds, "equal": equal, "files": len(contents(reference))}


def pack() -> list[object]:
    """Replicas that can train together, some of which end early, one of which fails."""
    base = recipe(length="12ep")
    stops = [LossBelow(loss=loss) for loss in (1.2, 1.0, 1e-9)]
    runs = [base.replace(seeds=replicate(k), stop=stops[k % 3]) for k in range(7)]
    return [*map(risk, runs), base.replace(seeds=replicate(9), schedule=Constant(lr=1e30))]


def kill_pack(folder: Path) -> dict[str, object]:
    """As `kill`, of runs that train in one program: what is left of a pack goes on in another one."""
    reference, store, delays = folder / "reference", folder / "store", random.Random(1)
    began = time.monotonic()
    finish(live(ensure, pack(), store=reference, workers=1, engine="loop", stack=1))
    alone, kills, done = time.monotonic() - began, 0, False
    options = {"workers": 1, "engine": "loop", "stack": 4, "checkpoint_seconds": 0.0}
    patience = 0.3 * alone
    while not done:
        process = live(ensure, pack(), store=store, **options)
        time.sleep(delays.uniform(0.02, patience))
        patience *= 1.3
        os.kill(process, signal.SIGKILL)
        done = end(process) == 0
        kills += not done
        if (store / "SCHEMA").exists():
            check_whole(store)
    return {"kills": kills, "close": _close(reference, store)}


def _close(reference: Path, store: Path) -> bool:
    """Whether the runs of two stores ended at the same step and with the same weights but for rounding."""
    shops = Store(reference), Store(store)
    if sorted(shops[0].run_ids()) != sorted(shops[1].run_ids()):
        return False
    for run in shops[0].run_ids():
        one, other = (shop.manifest(run) for shop in shops)
        if one is None or other is None or one["status"] != other["status"]:
            return False
        if one["status"] == "done":
            params = [shop.weights(run, Moment().id).params for shop in shops]
            near = all(torch.allclose(params[0][n], params[1][n], rtol=1e-4, atol=1e-5) for n in params[0])
            if not near or one["steps"] != other["steps"]:
                return False
    return True


def kill_workers(folder: Path) -> dict[str, object]:
    """Kills a parent of two worker processes twice in the middle of its work, then finishes in one process."""
    reference, store = folder / "reference", folder / "store"
    finish(live(ensure, study("80ep"), store=reference, workers=1))
    for seen in (1, 3):
        process = live(ensure, study("80ep"), store=store, workers=2, checkpoint_seconds=0.0)
        while len([*store.glob("partial/*.safetensors"), *store.glob("runs/*/*")]) < seen:
            time.sleep(0.01)
        os.kill(process, signal.SIGKILL)
        end(process)
    before = len(contents(store))
    finish(live(ensure, study("80ep"), store=store, workers=1))
    check_whole(store)
    return {"equal": contents(store) == contents(reference), "before": before, "files": len(contents(store))}


def crash(folder: Path, apart: int) -> dict[str, object]:
    """Ends a process before its k-th change of a file, for every k, or for some that are as far apart.

    Each time the next process must finish the work.
    """
    nodes = [risk(run) for run in imp(recipe(length="1ep"), levels=1)]
    reference = folder / "reference"
    finish(live(ensure, nodes, store=reference, workers=1))
    count, equal, code = 0, True, CRASHED
    while code == CRASHED:
        store = folder / "store"
        code = end(live(_ensure_until, count, nodes, store))
        if (store / "SCHEMA").exists():
            check_whole(store)
        finish(live(ensure, nodes, store=store, workers=1))
        check_whole(store)
        equal = equal and contents(store) == contents(reference)
        shutil.rmtree(store)
        count += apart
    return {"changes": count, "last": code, "equal": equal}


def _ensure_until(count: int, nodes: list[object], store: Path) -> None:
    left = count

    def mortal(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*args: object, **options: object) -> object:
            nonlocal left
            if left == 0:
                os._exit(CRASHED)
            left -= 1
            return change(*args, **options)

        return changed

    for owner, names in ((Path, ("mkdir", "rename", "replace", "unlink", "write_text")), (os, ("fsync",))):
        for name in names:
            setattr(owner, name, mortal(getattr(owner, name)))
    ensure(nodes, store=store, workers=1, checkpoint_seconds=0.0)


def two(folder: Path) -> dict[str, object]:
    """Two processes do the same study on one store at the same time."""
    reference, store = folder / "reference", folder / "store"
    finish(live(ensure, study("40ep"), store=reference, workers=1))
    pair = [live(_ensure_logged, study("40ep"), store, folder / "log") for _ in range(2)]
    for process in pair:
        finish(process)
    check_whole(store)
    lines = [line.split() for line in (folder / "log").read_text().splitlines()]
    return {
        "equal": contents(store) == contents(reference),
        "done": sorted(work for work, _ in lines),
        "workers": len({process for _, process in lines}),
        "left": [path.name for path in (store / "leases").rglob("*")],
    }


def _ensure_logged(nodes: list[object], store: Path, log: Path) -> None:
    def logged(work: Callable[..., object]) -> Callable[..., object]:
        def done(bench: Workbench, item: object, *beat: object, **options: object) -> object:
            with log.open("a") as file:
                file.write(f"{item.id} {os.getpid()}\n")
            return work(bench, item, *beat, **options)

        return done

    Workbench.member, Workbench.read = logged(Workbench.member), logged(Workbench.read)
    ensure(nodes, store=store, workers=1)


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    for what, folder, *numbers in [sys.argv[1:]] if sys.argv[1:] else map(json.loads, sys.stdin):
        print(json.dumps(globals()[what](Path(folder), *map(int, numbers))), flush=True)
