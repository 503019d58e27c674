"""Benchmarks whose results are made up, to see what becomes of claims: nothing is trained."""

from dataclasses import replace

import numpy as np

from prunescope.base.errors import StoreError
from prunescope.papers.jin2022 import settings
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.runs.store.results import Failed
from prunescope.studies.judging import judge

NOISES = (0.0, 0.15, 0.3, 0.6)
SMOKE = settings.SCALES["smoke"].size("smoke")


def bench_of(name, *, levels=3, noises=NOISES, **changes) -> Benchmark:
    """The arms of a benchmark of this name, on digits."""
    small = {"replicates": 3, "extended_levels": levels, "width_levels": 2, "fits": 0.0}
    return replace(settings.arms(SMOKE), name=name, noises=noises, levels=levels, **(small | changes))


class Made:
    """Results of every network of a benchmark: test errors in percent, and training losses, by arm, noise and level.

    Replicates differ by a little, the same in every network and a little more between them.
    """

    def __init__(self, bench, *, error=lambda arm, noise, level: 10.0, noisy_loss=lambda arm, noise, level: 0.1):
        self.values, self.failed = {}, set()
        for p in bench.points:
            off = 0.05 * p.replicate + 0.01 * ((p.level + p.replicate) % 2)
            test = {"error": (error(p.arm, p.noise, p.level) + off) / 100, "loss": 0.5}
            train = {
                "error": 0.0,
                "noisy_error": 0.0,
                "loss": 0.1,
                "original_loss": 0.02,
                "noisy_loss": noisy_loss(p.arm, p.noise, p.level) + 0.01 * off,
                "noisy_true_error": 0.5,
            }
            self.values |= {p.test.id: test, p.train.id: train}
            self.values[p.recipe.id] = {"sparsity": 1 - 0.8**p.level, "parameters": 1000, "step": 100}

    def __getitem__(self, node):
        if node.id in self.failed:
            raise Failed(f"{node.id} needs a run that failed")
        if node not in self:
            raise StoreError(f"{node.id} was not computed")
        return {name: np.asarray(value) for name, value in self.values[node.id].items()}

    def __contains__(self, node):
        return node.id in self.values and node.id not in self.failed


def outcome(claim, results):
    verdict = judge(claim, results)
    return verdict.interval_rule


def named(claims, name):
    """The one claim of this name."""
    (claim,) = (claim for claim in claims if claim.name == name)
    return claim


def gains(by_noise):
    """Dense errors 40 %; pruning gains so many points at level 2."""
    return lambda arm, noise, level: 40.0 - (by_noise[noise] if (arm, level) == ("pruned", 2) else 0.0)
