"""What Jin et al. 2022 measure of a benchmark's networks, as quantities over replicates.

Belongs here: errors and losses of levels and optima, and what must hold before claims about them can be judged. Does
not belong here: groups of examples (`subgroups.py`), classes (`classes.py`), claims.

Test errors are in percent, losses in nats; an arm, a noise level and a level name a network as in `Benchmark.row`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, Rule, noise_name
from prunescope.studies import selection

ERROR = "percentage points of test error"
LOSS = "nats"
RULES = {"optimal": selection.optimal, "highest_improving": selection.highest_improving}


def test_error(bench: Benchmark, arm: Arm, noise: float, level: int = 0) -> ps.Quantity:
    """Test error of one network of an arm, percent."""
    return ps.column([p.test for p in bench.row(arm, noise, level)], "error", scale=100, label=arm, unit=ERROR)


def dense(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of the dense network, percent."""
    return test_error(bench, "dense", noise)


def best(bench: Benchmark, arm: Arm, noise: float, *, rule: Rule = "optimal") -> ps.Quantity:
    """Test error of an arm at its best level, or at another that a rule picks, percent."""
    return at_best(bench, arm, noise, [test_error(bench, arm, noise, n) for n in bench.levels_of(arm, noise)], rule)


def gain(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of the dense network minus that at the optimal sparsity, percentage points."""
    return dense(bench, noise) - best(bench, "pruned", noise)


def best_sparse(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of the best network with weights removed, even where the dense one is better, percent."""

    def least(*errors: Numbers) -> Numbers:
        return min(errors, key=np.mean)

    levels = [test_error(bench, "pruned", noise, n) for n in bench.levels_of("pruned", noise)[1:]]
    return ps.combined(least, *levels, label="best pruned", unit=ERROR)


def as_long(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of extended training at the level at which pruning is best, percent; NaN where it ends before."""
    never = ps.constant(np.nan, replicates=bench.replicates, label="extended", unit=ERROR)
    longest = bench.depth("extended", noise)
    levels = [
        test_error(bench, "extended", noise, n) if n <= longest else never for n in bench.levels_of("pruned", noise)
    ]
    return at_best(bench, "pruned", noise, levels)


def at_best(
    bench: Benchmark, arm: Arm, noise: float, levels: Sequence[ps.Quantity], rule: Rule = "optimal"
) -> ps.Quantity:
    """Whichever of `levels`, one quantity for each level of an arm, belongs to the level that a rule picks.

    The best level has the least mean error, the dense network included.

    Source: Jin et al. 2022, section 2 (optimal sparsity) and section 3 (highest improving sparsity).
    Differs from the source: it selects by validation error and does not say on which examples. Without held-out
    examples the test set itself is used here, as the library that it used has no validation split.
    """
    return ps.combined(
        lambda errors, *values: values[RULES[rule](errors.T)],
        selecting(bench, arm, noise),
        *levels,
        label=levels[0].label,
        unit=levels[0].unit,
    )


def selecting(bench: Benchmark, arm: Arm, noise: float) -> ps.Quantity:
    """The errors by which levels are chosen, percent: [replicates, levels + 1]."""
    return ps.side_by_side(
        [ps.column([p.selector for p in row], "error", scale=100) for row in bench.chain(arm, noise)]
    )


def best_level(
    bench: Benchmark, arm: Arm, noise: float, *, rule: Rule = "optimal", unit: str = "(level chosen)"
) -> ps.Quantity:
    """The level of an arm that a rule picks: one number for all replicates."""
    return selecting(bench, arm, noise).map(lambda errors: RULES[rule](errors.T), unit=unit)


def is_best(bench: Benchmark, arm: Arm, noise: float) -> ps.Quantity:
    """Which level is the best of its arm, [replicates, levels + 1]; none while an error is missing."""
    return selecting(bench, arm, noise).map(lambda errors: _marked(errors) & (errors.shape[1] > 1))


def is_best_epoch(bench: Benchmark, noise: float) -> ps.Quantity:
    """Which epoch of the dense network is the best, [replicates, epochs]; none while a run is missing."""
    return ps.arrays([p.selecting_curve for p in bench.row("dense", noise, 0)], "error").map(_marked)


def _marked(errors: Numbers) -> NDArray[np.bool_]:
    best = errors.mean(axis=0).argmin() if np.isfinite(errors).all() else -1
    return np.broadcast_to(np.arange(errors.shape[1]) == best, errors.shape)


def over_levels(
    bench: Benchmark, arm: Arm, noise: float, quantity: Callable[[Benchmark, Arm, float, int], ps.Quantity]
) -> ps.Quantity:
    """A quantity of every level of an arm, the dense network's first: [replicates, levels + 1]."""
    return ps.side_by_side([quantity(bench, arm, noise, level) for level in bench.levels_of(arm, noise)])


def remaining(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """The x coordinate of a network: weights remaining, percent.

    Pruned: of the maskable weights. Width: parameters over the full network's. Extended, which removes nothing: of the
    pruned network that has trained as long.
    """
    if arm == "width":
        parameters, full = (
            ps.column([p.recipe for p in bench.row("width", noise, n)], "parameters") for n in (level, 0)
        )
        return ps.combined(lambda some, every: 100 * some / every, parameters, full)
    twin: Arm = "pruned" if arm == "extended" else arm
    return ps.column([p.recipe for p in bench.row(twin, noise, level)], "sparsity").map(lambda s: 100 * (1 - s))


def epochs(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Epochs of training over all levels."""
    row = bench.row(arm, noise, level)
    return ps.column([p.recipe for p in row], "step").map(lambda step: step / row[0].recipe.clock().epoch_steps)


def train(
    bench: Benchmark,
    arm: Arm,
    noise: float,
    level: int = 0,
    *,
    name: str = "loss",
    scale: float = 1.0,
    unit: str = LOSS,
) -> ps.Quantity:
    """A value of the training-set readings of a network, by default its mean loss."""
    return ps.column([p.train for p in bench.row(arm, noise, level)], name, scale=scale, label=arm, unit=unit)


def fit_gap(bench: Benchmark, arm: Arm, noise: float, level: int = 0) -> ps.Quantity:
    """Mean training loss on noisy minus that on original examples, nats."""
    noisy, original = (train(bench, arm, noise, level, name=f"{part}_loss") for part in ("noisy", "original"))
    return (noisy - original).named(f"gap of {arm}")


def best_fit_gap(bench: Benchmark, noise: float) -> ps.Quantity:
    """The same at the optimal sparsity."""
    gaps = [fit_gap(bench, "pruned", noise, n) for n in bench.levels_of("pruned", noise)]
    return at_best(bench, "pruned", noise, gaps)


def best_epoch(bench: Benchmark, noise: float, *, among: int | None = None) -> ps.Quantity:
    """Test error of the dense network at the best of its last epochs, percent.

    among: how many of them; by default all. One epoch for all replicates, chosen where levels are.
    """

    def least(choosing: Numbers, judging: Numbers) -> Numbers:
        last = slice(-(among or 0), None)
        return judging[:, last][:, choosing[:, last].mean(axis=0).argmin()]

    row = bench.row("dense", noise, 0)
    curves = (
        ps.arrays(traces, "error", scale=100) for traces in ([p.selecting_curve for p in row], [p.curve for p in row])
    )
    return ps.combined(least, *curves, label="dense", unit=ERROR)


def fits_clean(bench: Benchmark) -> ps.Precondition:
    """The dense network without label noise fits its training set (the threshold is proposed)."""
    error = train(bench, "dense", 0.0, name="error", unit="% fitted").named("")
    return ps.Precondition(
        "the dense network fits its clean training set", error.map(lambda e: 100 * (1 - e)), at_least=bench.fits
    )


def fits_noise(bench: Benchmark, noise: float, *, at_least: float = 50.0) -> ps.Precondition:
    """The dense network has memorized most noisy labels (proposed threshold)."""
    error = train(bench, "dense", noise, name="noisy_error", unit="% of noisy labels fitted").named("")
    return ps.Precondition(
        "the dense network has memorized its noisy labels", error.map(lambda e: 100 * (1 - e)), at_least=at_least
    )


def fits(bench: Benchmark, noise: float) -> ps.Precondition:
    """The dense network fits what it is trained on: its training set, or with label noise most of the noisy labels."""
    return fits_noise(bench, noise) if noise else fits_clean(bench)


def is_sparse(bench: Benchmark, noise: float, *, rule: Rule = "optimal", arm: Arm = "pruned") -> ps.Precondition:
    """The chosen level is not 0: where the dense network is best, there is nothing to compare."""
    kind = "narrower" if arm == "width" else "sparse"
    return ps.Precondition(
        f"a {kind} network generalizes better than the dense one", best_level(bench, arm, noise, rule=rule), at_least=1
    )


def goes_to(bench: Benchmark, level: int) -> ps.Precondition:
    """Pruning has so many levels."""
    return ps.Precondition(f"pruning goes to level {level}", ps.constant(bench.levels, unit="levels"), at_least=level)


def optima_inside(
    bench: Benchmark, *arms: Arm, noises: Sequence[float] | None = None, rule: Rule = "optimal"
) -> tuple[ps.Precondition, ...]:
    """The chosen level is not the last of its chain, where a better one may follow; for a study's cautions.

    noises: by default all at which an arm is run.
    """
    short = "(level chosen; the chain is too short to show the optimum)"
    return tuple(
        ps.Precondition(
            f"at {noise_name(noise)}, the {rule.replace('_', ' ')} level of the arm '{arm}' comes before its last one",
            best_level(bench, arm, noise, rule=rule, unit=short),
            at_most=bench.depth(arm, noise) - 1,
        )
        for arm in arms
        for noise in (bench.noises if noises is None else noises)
        if bench.depth(arm, noise)
    )
