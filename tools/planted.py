"""Small tasks of which it is known, by how they are made, why pruning changes the error.

`python tools/planted.py 100` explains 100 data sets of every cause, adds what it finds to
docs/results/explain/planted.csv (what stands there is not made again) and prints how often the first cause is the
planted one. An hour on two cores.
"""

import csv
import sys
import tempfile
import warnings
from pathlib import Path

import prunescope as ps
from prunescope.explain.shares import NOTHING, first_cause
from prunescope.explain.study import explain
from prunescope.sparsity.select import Remaining
from prunescope.studies.null_world import null_world
from prunescope.studies.statistics import clopper_pearson
from prunescope.tasks.data.signal_noise import signal_noise

REPLICATES = 5


def recipe(source, hidden, inputs, classes, *, noise=0.0, epochs=10, lr=0.05, schedule=None, optimizer=None):
    network = ps.network("prunescope.tasks.nets:LeNet", hidden=hidden, inputs=inputs, classes=classes)
    return ps.Recipe(
        task=ps.Task(network=network, data=ps.Data(source=source, label_noise=noise)),
        optimizer=optimizer or ps.SGD(momentum=0.9),
        schedule=schedule or ps.Constant(lr=lr),
        batch=32,
        length=f"{epochs}ep",
    )


def blobs(seed, train=200):
    return ps.synthetic(classes=10, shape=(32,), train=train, test=1000, separation=4.0, seed=seed)


def patches(seed, train):
    return signal_noise(classes=2, dimension=100, noise=0.5, train=train, test=1000, seed=seed)


def removing(fraction, **options):
    return {
        "prune": ps.Prune(amount=Remaining(fraction=fraction), **options),
        "replicates": REPLICATES,
        "size": "masks",
    }


def undertrained(seed):
    """Seven steps of training, and five levels that take hardly any weights: time."""
    dense = recipe(blobs(seed), (64,), 32, 10, epochs=1, lr=0.05, optimizer=ps.SGD())
    return explain(dense, levels=5, **removing(0.03))


def memorized(seed):
    """Wrong labels are learned at a high rate; at the low rate after the event only the signal returns: disturbance.

    What goes is chosen at random, and a third of the network is still large enough for everything.
    """
    schedule = ps.Milestones(lr=0.05, drops=("45%",), factor=0.06)
    dense = recipe(blobs(seed, 500), (200,), 32, 10, noise=0.4, epochs=40, schedule=schedule)
    return explain(dense, levels=3, rewind="50%", **removing(0.3, score=ps.Random()))


def too_small(seed):
    """At random, 97 % of each layer go from a network that was large enough: size."""
    return explain(recipe(blobs(seed), (64,), 32, 10), levels=1, **removing(0.97, score=ps.Random(), scope="layer"))


def mostly_noise(seed):
    """Of the 200 numbers that a linear classifier sees, 4 carry the signal and get large weights: choice."""
    return explain(recipe(patches(seed, 60), (), 200, 2, epochs=40), levels=1, **removing(0.97))


def undertrained_and_mostly_noise(seed):
    """Both at once, in equal parts or nearly so: time and choice."""
    dense = recipe(patches(seed, 200), (), 200, 2, epochs=2, lr=0.02, optimizer=ps.SGD())
    return explain(dense, levels=8, **removing(0.3))


def untouched(seed):
    """Every network is a dense one of its own seed: nothing."""
    return null_world(undertrained(seed))


CAUSES = {
    undertrained: ("time",),
    memorized: ("disturbance",),
    too_small: ("size",),
    mostly_noise: ("choice",),
    undertrained_and_mostly_noise: ("time", "choice"),
    untouched: (NOTHING,),
}
"""The causes of each, of which the first that is found has to be one."""
TABLE = Path(__file__).parents[1] / "docs" / "results" / "explain" / "planted.csv"
BEGIN = 1000
"""The first seed of the count; the tasks were made by looking at smaller ones."""


def shares_of(study, store):
    """The whole effect and its parts in test error, by name: [R] each."""
    results = ps.ensure([node for claim in study.claims for node in claim.nodes], store=store, workers=1)
    return {claim.name.removesuffix("-lowers-the-error"): claim.quantity(results) for claim in study.claims}


def found(study, store):
    shares = shares_of(study, store)
    return first_cause({name: values for name, values in shares.items() if name != "pruning"})


def main(count, table=TABLE):
    warnings.simplefilter("ignore")
    if not table.exists():
        table.write_text("planted,seed,first cause\n")
    for seed in range(BEGIN, BEGIN + count):
        for make in CAUSES:
            if (make.__name__, str(seed)) not in {(row["planted"], row["seed"]) for row in _rows(table)}:
                with tempfile.TemporaryDirectory() as store:
                    cause = found(make(seed), store)
                with table.open("a") as lines:
                    lines.write(f"{make.__name__},{seed},{cause}\n")
    for make, planted in CAUSES.items():
        causes = [row["first cause"] for row in _rows(table) if row["planted"] == make.__name__]
        right = sum(cause in planted for cause in causes)
        share = clopper_pearson(right, len(causes))
        others = {name: causes.count(name) for name in sorted(set(causes) - set(planted))}
        print(
            f"{make.__name__}: {' or '.join(planted)} first in {right} of {len(causes)} "
            f"[{100 * share.low:.0f} %, {100 * share.high:.0f} %]; {others}"
        )


def _rows(table):
    with table.open() as lines:
        return list(csv.DictReader(lines))


if __name__ == "__main__":
    main(int(sys.argv[1]))
