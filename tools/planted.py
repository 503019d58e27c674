"""Small tasks of which it is known, by how they are made, why pruning changes the error.

`python tools/planted.py 100` explains 100 data sets of every cause, or of those that are named behind the number, adds
the shares of every replicate to docs/results/explain/planted.csv (what stands there is not made again) and prints how
often the first cause is the planted one. 3 to 20 CPU seconds a data set.
"""

import csv
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import prunescope as ps
from prunescope.explain.claims import WHOLE, claims, told
from prunescope.explain.study import explain
from prunescope.sparsity.select import Remaining
from prunescope.studies import Quantity, judge_all
from prunescope.studies.null_world import null_world
from prunescope.studies.statistics import clopper_pearson, t_interval
from prunescope.tasks.data.signal_noise import signal_noise

REPLICATES = 5
PARTS = ("time", "size", "disturbance", "choice")
NOTHING = "nothing"


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
    """The parts of the change in test error, by name: [R] each. Together they are the whole of it."""
    results = ps.ensure([node for claim in study.claims for node in claim.nodes], store=store, workers=1)
    shares = {claim.name.removesuffix("-lowers-the-error"): claim.quantity(results) for claim in study.claims}
    np.testing.assert_allclose(sum(shares[part] for part in PARTS), shares["pruning"], atol=1e-9)
    return {part: shares[part] for part in PARTS}


def told_of(shares):
    """What is told from chance by the claims of an explanation of these shares, the largest first: "pruning" is all."""
    whole, *parts = (
        Quantity("", "", (), lambda _, values=values: values) for values in (sum(shares.values()), *shares.values())
    )
    verdicts = judge_all(claims("test error", whole, dict(zip(shares, parts, strict=True))), {})
    return told(verdicts, (WHOLE, *shares))


def first_cause(shares):
    return next((part for part in told_of(shares) if part != WHOLE), NOTHING)


def main(count, names=(), table=TABLE):
    warnings.simplefilter("ignore")
    if not table.exists():
        table.write_text(f"planted,seed,replicate,{','.join(PARTS)}\n")
    makes = {make.__name__: make for make in CAUSES if make.__name__ in (names or {make.__name__})}
    there = read(table)
    for seed in range(BEGIN, BEGIN + count):
        for name, make in makes.items():
            if (name, seed) not in there:
                with tempfile.TemporaryDirectory() as store:
                    shares = shares_of(make(seed), store)
                with table.open("a") as lines:
                    for number, row in enumerate(zip(*shares.values(), strict=True)):
                        lines.write(f"{name},{seed},{number},{','.join(f'{value:.10g}' for value in row)}\n")
    print("| planted | first cause | right | others |\n|---|---|---|---|")
    found = read(table)
    for make, planted in CAUSES.items():
        every = [shares for (name, _), shares in found.items() if name == make.__name__]
        causes = list(map(first_cause, every))
        others = ", ".join(f"{causes.count(name)} {name}" for name in sorted(set(causes) - set(planted)))
        right = counted(sum(cause in planted for cause in causes), len(causes))
        print(f"| {make.__name__} | {' or '.join(planted)} | {right} | {others} |")
        if make is untouched:
            print(f"| {make.__name__} | {NOTHING}, the whole change included | {counted(*silent(every))} | |")
            inside, count = covered(every)
            print(f"| {make.__name__} | 0, in a part's own 95 % interval | {inside} of {count} | |")


def silent(every):
    """How often nothing is told from chance, of how many."""
    return sum(not told_of(shares) for shares in every), len(every)


def covered(every):
    """How many intervals of parts that are nothing hold 0, of how many."""
    intervals = [t_interval(shares[part]) for shares in every for part in PARTS]
    return sum(one.low <= 0.0 <= one.high for one in intervals), len(intervals)


def counted(right, count):
    """A count and its interval."""
    if not count:
        return "none made"
    share = clopper_pearson(right, count)
    return f"{right} of {count} [{100 * share.low:.1f}, {100 * share.high:.1f} %]"


def read(table):
    """The shares of every data set, by what is planted and seed: [R] by part."""
    found = {}
    with table.open() as lines:
        for row in csv.DictReader(lines):
            shares = found.setdefault((row["planted"], int(row["seed"])), {part: [] for part in PARTS})
            for part in PARTS:
                shares[part].append(float(row[part]))
    return {key: {part: np.array(values) for part, values in shares.items()} for key, shares in found.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
