"""How often the 95 % interval of a gain holds the truth at three replicates, after choosing among 24 levels.

`python tools/interval_coverage.py [STUDIES]`, by default 10,000 simulated studies of each kind. A study has a dense
network and 24 levels, three replicates whose chains have luck of their own (correlated from level to level), and a
test set in two halves. The truth is the gain, over all seeds on this test set, at the levels that the study chose.
"""

import sys
from collections.abc import Callable

import numpy as np

from prunescope.studies import selection, statistics

LEVELS, REPLICATES = 24, 3
LEVEL = np.arange(LEVELS + 1.0)
KINDS = {
    "no level differs": (np.full(LEVELS + 1, 2.0), 0.1),
    "shallow optimum": (2.0 + 0.002 * (LEVEL - 10) ** 2, 0.1),
    "no level differs, noisy": (np.full(LEVELS + 1, 13.0), 0.3),
    "rise, then fall": (13 + 7 * np.exp(-(((LEVEL - 10) / 4) ** 2)) - 7.5 / (1 + np.exp(25.5 - 1.5 * LEVEL)), 0.3),
}
"""Mean errors by level and the standard deviation of a network's luck, points; the last is like LeNet's at 15 %."""
HALF, EXAMPLES, CHAIN = 0.05, 0.05, 0.5
"""Standard deviations of a level on one half (all seeds, one network); correlation of a level with the next."""

Numbers = np.ndarray
Way = Callable[[Numbers, Numbers], Numbers]
"""From errors on two halves, [levels + 1, replicates], to those at the optimum, [replicates]."""


def study(kind: str, draws: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Errors over all seeds, [halves, levels + 1, 1], and of each network, [halves, levels + 1, replicates]."""
    mean, deviation = KINDS[kind]
    luck = deviation * draws.standard_normal((LEVELS + 1, REPLICATES))
    for level in range(2, LEVELS + 1):
        luck[level] = CHAIN * luck[level - 1] + np.sqrt(1 - CHAIN**2) * luck[level]
    truth = mean[:, None] + HALF * draws.standard_normal((2, LEVELS + 1, 1))
    return truth, truth + luck + EXAMPLES * draws.standard_normal((2, LEVELS + 1, REPLICATES))


def on_all(chosen: Numbers, judged: Numbers) -> Numbers:
    """The level is chosen on all that judge it."""
    return judged.mean(axis=0)[selection.optimal(chosen.mean(axis=0))]


def on_halves(chosen: Numbers, judged: Numbers) -> Numbers:
    """Chosen on one half of the test set by the same networks that are judged on the other."""
    first, second = (selection.optimal(half) for half in chosen)
    return (judged[1][first] + judged[0][second]) / 2


def crossed(chosen: Numbers, judged: Numbers) -> Numbers:
    """Chosen on one half by the other replicates: what prunescope does."""
    return selection.cross_fitted(*chosen, judged=tuple(judged))


def main(studies: int) -> None:
    print("| studies | level chosen | holds the truth, % | mean estimate minus truth, points |\n|---|---|---:|---:|")
    for kind in KINDS:
        draws, made = np.random.default_rng(0), []
        made = [study(kind, draws) for _ in range(studies)]
        for way in (on_all, on_halves, crossed):
            inside, bias = 0, 0.0
            for truth, errors in made:
                gains = errors.mean(axis=0)[0] - way(errors, errors)
                true = float(np.mean(truth.mean(axis=0)[0] - way(errors, np.broadcast_to(truth, errors.shape))))
                interval = statistics.t_interval(gains)
                inside += interval.low <= true <= interval.high
                bias += interval.estimate - true
            words = (way.__doc__ or "").partition(".")[0].partition(":")[0]
            print(f"| {kind} | {words} | {100 * inside / studies:.1f} | {bias / studies:.3f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
