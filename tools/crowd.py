"""Workers on one store that are killed at random: is anything lost, corrupt, or done twice?

    python tools/crowd.py --nodes 10000 --workers 8 --seconds 0.1 [--kill 2] [--store s3://bucket/crowd]

Every node is a reading of one stored run that sleeps so long and writes its name into a log of its worker's. Each
worker is a process with a queue of its own, as `prunescope work` is. With --kill K, K workers are killed every second
for a minute, and started again at once. The log is appended before the reading is stored, so "twice" counts all.
"""

import argparse
import json
import multiprocessing
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

import prunescope as ps
from prunescope.measures.measure import Measure
from prunescope.runs.machine import pricing
from prunescope.runs.store import housekeeping, lease, pulse
from prunescope.runs.store.store import Store


class Sleeping(Measure):
    """Sleeps; its value is its number."""

    number: int
    pause: float

    def measure(self, problem, weights):
        time.sleep(self.pause)
        with Path(os.environ["CROWD_LOG"]).open("a") as log:
            log.write(f"{self.number}\n")
        return {"number": torch.tensor(self.number)}


def nodes(count, pause):
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=64)
    task = ps.Task(network=net, data=ps.Data(source=ps.digits()))
    run = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=64, length="2it")
    return [ps.Reading(measure=Sleeping(number=k, pause=pause), state=ps.final(run)) for k in range(count)]


def work(asked, log, count):
    """The life of a worker."""
    os.environ["CROWD_LOG"] = log
    pricing.CALIBRATION_SECONDS = 0.0
    made = nodes(count, asked.seconds)
    ps.ensure(made or nodes(1, 0.0)[0].state.run, store=asked.store, workers=1)


def start(asked, number, count):
    """A worker in a process of its own, forked so that its life costs no imports: this one touches no store before."""
    log = f"{asked.logs}/{number}-{time.time_ns()}"  # a killed one is started again, with a log of its own
    process = multiprocessing.get_context("fork").Process(target=work, args=(asked, log, count))
    process.start()
    return process


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--kill", type=int, default=0, help="workers that are killed every second for a minute")
    parser.add_argument("--store", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked.logs, asked.store = f"{folder}/logs", asked.store or f"{folder}/store"
        Path(asked.logs).mkdir()
        print(json.dumps(measured(asked)))


def measured(asked):
    """Starts workers, kills some, waits for the others, and counts."""
    start(asked, "first", 0).join()
    began, kills, rng = time.monotonic(), 0, random.Random(0)
    workers = {number: start(asked, number, asked.nodes) for number in range(asked.workers)}
    while not list(Path(asked.logs).iterdir()):
        time.sleep(0.1)
    end = time.monotonic() + 60
    while asked.kill and time.monotonic() < end and any(worker.is_alive() for worker in workers.values()):
        time.sleep(1.0)
        for number in rng.sample(sorted(workers), asked.kill):
            if workers[number].is_alive():
                workers[number].kill()
                workers[number].join()
                workers[number] = start(asked, number, asked.nodes)
                kills += 1
    for worker in workers.values():
        worker.join()
    codes = Counter(worker.exitcode for worker in workers.values())
    clock = time.monotonic() - began
    store = Store(asked.store)
    wanted = {node.id: node.of.number for node in nodes(asked.nodes, asked.seconds)}
    stored = store.known_readings(wanted)
    wrong = [key for key in stored if int(store.reading(key)["number"]) != wanted[key]]
    done = Counter(int(line) for log in Path(asked.logs).iterdir() for line in log.read_text().split())
    damaged = [one for one in housekeeping.verify(store, housekeeping.files(store)) if one.problem]
    leases = lease.held(store)
    return {
        "nodes": asked.nodes,
        "workers": asked.workers,
        "kills": kills,
        "seconds": round(clock, 1),
        "busy": round(asked.nodes * asked.seconds / clock / asked.workers, 3),
        "lost": asked.nodes - len(stored),
        "corrupt": len(wrong) + len(damaged),
        "twice": sum(times - 1 for times in done.values()),
        "leases left": len(leases),
        "exit codes": dict(codes),
        "beat": pulse.BEAT_SECONDS,
    }


if __name__ == "__main__":
    main()
