"""Designs of small networks, and results of theirs that are made up."""

from dataclasses import replace

import numpy as np

import prunescope as ps
from prunescope.explain.design import Design, Pruning
from prunescope.explain.factors import FACTORS, Factor
from prunescope.runs.store.results import Failed
from prunescope.sparsity.select import Remaining

LEVELS = 2
SHAKEN = Factor(
    "noise",
    "weights are shaken at the events",
    lambda arm: replace(arm, also=(ps.Noise(std=0.1, length="1it"),)),
    needs=frozenset({"time"}),
)
"""A part of pruning that somebody else thought of."""


def recipe(**changes):
    network = ps.network("prunescope.tasks.nets:LeNet", hidden=(16, 8), inputs=16, classes=4)
    fields = {
        "task": ps.Task(network=network, data=ps.Data(source=ps.synthetic(train=96, test=64))),
        "optimizer": ps.SGD(momentum=0.9),
        "schedule": ps.Constant(lr=0.1),
        "batch": 32,
        "length": "3ep",
    }
    return ps.Recipe(**{**fields, **changes})


def design(**changes):
    prune = ps.Prune(amount=Remaining(fraction=0.4))
    factors = changes.pop("factors", FACTORS)
    how = Pruning(**{"levels": LEVELS, "rewind": "1ep", "replicates": 2, **changes})
    return Design(base=recipe(), prune=prune, how=how, factors=factors, smaller=None)


class MadeUp(dict):
    """Results by node id; a node that is not there has failed."""

    def __getitem__(self, node):
        if node not in self:
            raise Failed("run 1234 failed: the loss is not a number")
        return super().__getitem__(node.id)

    def __contains__(self, node):
        return super().__contains__(node.id)


def made_up(made, errors, failed=()):
    """Of 1,000 test examples the first are wrong, so many as a cell's error says; replicates have 1 point between.

    errors: by cell, percent: one number, or one a replicate.
    """
    results = MadeUp()
    for c in made.cells:
        for number, run in enumerate(made.recipes(c)):
            wrong = np.round(10 * (np.broadcast_to(errors.get(c, 20.0), made.how.replicates)[number] + number))
            reading = ps.Reading(measure=ps.Examples(split="test"), state=ps.final(run))
            facts = {"sparsity": np.asarray(0.8), "step": np.asarray(10)}
            if c not in failed:
                dict.__setitem__(results, reading.id, {"correct": np.arange(1000) >= wrong, "loss": np.ones(1000)})
                dict.__setitem__(results, run.id, facts)
    return results
