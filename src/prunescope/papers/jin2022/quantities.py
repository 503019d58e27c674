"""What Jin et al. 2022 measure of a benchmark's networks, as quantities over replicates.

Belongs here: errors and losses of levels and optima, and what must hold before claims about them can be judged. Does
not belong here: groups of examples (`subgroups.py`), classes (`classes.py`), claims.

Test errors are in percent, losses in nats; an arm, a noise level and a level name a network as in `Benchmark.row`.
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, Rule
from prunescope.papers.readings import noise_name
from prunescope.runs.store.results import Failed
from prunescope.studies import selection, statistics

ERROR = "percentage points of test error"
LOSS = "nats"
TOO_SHORT = "(levels after the chosen one; the chain is too short to show the optimum)"
RULES: Mapping[Rule, Callable[[Numbers], int]] = {
    "optimal": selection.optimal,
    "highest_improving": selection.highest_improving,
}

OfNetwork = Callable[[Benchmark, Arm, float, int], ps.Quantity]
"""A quantity of one network, such as `test_error` or `train`."""


def test_error(bench: Benchmark, arm: Arm, noise: float, level: int = 0) -> ps.Quantity:
    """Test error of one network of an arm, percent."""
    return ps.column([p.test for p in bench.row(arm, noise, level)], "error", scale=100, label=arm, unit=ERROR)


def dense(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of the dense network, percent."""
    return test_error(bench, "dense", noise)


def best(bench: Benchmark, arm: Arm, noise: float, *, rule: Rule = "optimal") -> ps.Quantity:
    """Test error of an arm at its best level, or at another that a rule picks, percent."""
    return at_best(bench, arm, noise, each_level(bench, arm, noise, test_error), rule)


def gain(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of the dense network minus that at the optimal sparsity, percentage points."""
    return dense(bench, noise) - best(bench, "pruned", noise)


def lacks(bench: Benchmark, noise: float, arm: Arm) -> ps.Quantity:
    """Test error of a control minus that of pruning, each at its best, percentage points."""
    return best(bench, arm, noise) - best(bench, "pruned", noise)


def best_sparse(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of the best network with weights removed, even where the dense one is better, percent."""
    sparse, wrong = each_level(bench, "pruned", noise, test_error)[1:], selecting(bench, "pruned", noise)
    nodes = ps.nodes_of([wrong, *sparse])
    return ps.Quantity("best pruned", ERROR, nodes, lambda r: sparse[wrong(r)[:, 1:].sum(axis=0).argmin()](r))


def as_long(bench: Benchmark, noise: float) -> ps.Quantity:
    """Test error of extended training at the level at which pruning is best, percent; NaN where it ends before."""
    never = ps.constant(np.nan, replicates=bench.replicates, label="extended", unit=ERROR)
    run = each_level(bench, "extended", noise, test_error)
    levels = [run[n] if n < len(run) else never for n in bench.levels_of("pruned", noise)]
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
    chosen, one = best_level(bench, arm, noise, rule=rule), levels[0]
    nodes = ps.nodes_of([chosen, *levels])
    return ps.Quantity(one.label, one.unit, nodes, lambda results: levels[int(chosen(results))](results))


def selecting(bench: Benchmark, arm: Arm, noise: float) -> ps.Quantity:
    """The numbers of wrong answers by which levels are chosen, as far as every replicate got: [replicates, levels]."""
    return as_far_as_reached(
        [ps.each(selection.wrong_answers, [p.selector for p in row]) for row in bench.chain(arm, noise)]
    )


def as_far_as_reached(levels: Sequence[ps.Quantity]) -> ps.Quantity:
    """Quantities of one level after the other, side by side up to the last that every replicate reached.

    A chain breaks where a run failed for good, as when a layer lost its last weight; a run that is only missing is an
    error.
    """

    def of(results: ps.Results) -> Numbers:
        values = [level(results) for level in levels[:2]]
        with contextlib.suppress(Failed):
            for level in levels[2:]:
                values.append(level(results))  # what came before a failure stays
        return np.stack(values, axis=1)

    return replace(ps.side_by_side(levels, levels[0].label), of=of) if levels else ps.side_by_side([])


def best_level(bench: Benchmark, arm: Arm, noise: float, *, rule: Rule = "optimal") -> ps.Quantity:
    """The level of an arm that a rule picks: one number for all replicates."""
    return selecting(bench, arm, noise).map(lambda errors: RULES[rule](errors.T), unit="(level chosen)")


def is_best(bench: Benchmark, arm: Arm, noise: float) -> ps.Quantity:
    """Which level is the best of its arm, [replicates, levels + 1]; none while an error is missing."""
    depth = bench.depth(arm, noise)
    return selecting(bench, arm, noise).map(
        lambda wrong: np.pad(_marked(wrong) & (depth > 0), ((0, 0), (0, depth + 1 - wrong.shape[1])))
    )


def is_best_epoch(bench: Benchmark, noise: float) -> ps.Quantity:
    """Which epoch of the dense network is the best, [replicates, epochs]; none while a run is missing."""
    return ps.arrays([p.selecting_curve for p in bench.row("dense", noise, 0)], "error").map(_marked)


def _marked(errors: Numbers) -> NDArray[np.bool_]:
    best = errors.sum(axis=0).argmin() if np.isfinite(errors).all() else -1
    return np.broadcast_to(np.arange(errors.shape[1]) == best, errors.shape)


def each_level(bench: Benchmark, arm: Arm, noise: float, quantity: OfNetwork) -> list[ps.Quantity]:
    """A quantity of every level of an arm, the dense network's first."""
    return [quantity(bench, arm, noise, level) for level in bench.levels_of(arm, noise)]


def over_levels(bench: Benchmark, arm: Arm, noise: float, quantity: OfNetwork) -> ps.Quantity:
    """The same as one quantity: [replicates, levels + 1]."""
    return ps.side_by_side(each_level(bench, arm, noise, quantity))


def remaining(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """The x coordinate of a network: weights remaining, percent.

    Pruned: of the maskable weights. Width: parameters over the full network's. Extended, which removes nothing: of the
    pruned network that has trained as long.
    """
    if arm == "width":
        rows = [bench.row("width", noise, n) for n in (level, 0)]
        parameters = [ps.column([p.recipe for p in row], "parameters") for row in rows]
        return ps.combined(lambda some, every: 100 * some / every, *parameters)
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
    return at_best(bench, "pruned", noise, each_level(bench, "pruned", noise, fit_gap))


def best_epoch(bench: Benchmark, noise: float, *, among: int | None = None) -> ps.Quantity:
    """Test error of the dense network at the best of its last epochs, percent.

    among: how many of them; by default all. One epoch for all replicates, chosen where levels are.
    """
    last = slice(-(among or 0), None)
    row = bench.row("dense", noise, 0)
    return ps.combined(
        lambda choosing, judging: judging[:, last][:, choosing[:, last].sum(axis=0).argmin()],
        ps.arrays([p.selecting_curve for p in row], "error"),
        ps.arrays([p.curve for p in row], "error", scale=100),
        label="dense",
        unit=ERROR,
    )


def rank_agreement(first: ps.Quantity, second: ps.Quantity, *, over: str = "", label: str = "") -> ps.Quantity:
    """Rank correlation of two quantities over their parts, [replicates]. over: what the parts are."""

    def of(*values: Numbers) -> list[float]:
        return [rank_correlation(*pair) for pair in zip(*values, strict=True)]

    unit = f"rank correlation over {over}" if over else "rank correlation"
    return ps.combined(of, first, second, label=label, unit=unit)


def rank_correlation(first: Numbers, second: Numbers) -> float:
    """Over the parts for which both are numbers; not a number where one of them does not vary."""
    both = np.isfinite(first) & np.isfinite(second)
    return statistics.rank_correlation(first[both], second[both]) if both.sum() > 1 else float("nan")


def fits(bench: Benchmark, noise: float, *, blocks: bool = False) -> ps.Precondition:
    """The dense network fits what it is trained on: its training set, or half of the noisy labels (both proposed).

    The former is asked of every claim without label noise. The latter is a caution, since the paper speaks of networks
    that do not fit their noisy labels, too; blocks: of a claim that presupposes it.
    """
    says, name, unit, at_least = (
        (f"at {noise_name(noise)}, the dense network has memorized its noisy labels", "noisy_error", "% of them", 50.0)
        if noise
        else ("the dense network fits its clean training set", "error", "% fitted", bench.fits)
    )
    fitted = train(bench, "dense", noise, name=name, unit=unit).map(lambda error: 100 * (1 - error), label="")
    return ps.Precondition(says, fitted, at_least=at_least, blocks=blocks or not noise)


def not_itself(*best: ps.Quantity) -> ps.Precondition:
    """Of the best levels that are compared not all are 0, where the dense network would be compared with itself."""
    says = "what is compared is not the dense network with itself, which is the best of both arms"
    highest = ps.combined(lambda *levels: max(levels), *best, unit="(highest level chosen)")
    return ps.Precondition(says, highest, at_least=1)


def differ(bench: Benchmark, noise: float, *arms: Arm) -> ps.Precondition:
    """The same of the best levels of some arms."""
    return not_itself(*(best_level(bench, arm, noise) for arm in arms))


def of_dense(gap: ps.Quantity, bench: Benchmark, noise: float) -> ps.Quantity:
    """A difference of test errors in percent of the dense network's mean test error."""
    return ps.combined(
        lambda points, errors: 100 * points / errors.mean(),
        gap,
        dense(bench, noise),
        label=gap.label,
        unit="% of the dense network's test error",
    )


def is_sparse(bench: Benchmark, noise: float, *, rule: Rule = "optimal", arm: Arm = "pruned") -> ps.Precondition:
    """The chosen level is not 0: where the dense network is best, there is nothing to compare."""
    says = f"a {'narrower' if arm == 'width' else 'sparse'} network generalizes better than the dense one"
    return ps.Precondition(says, best_level(bench, arm, noise, rule=rule), at_least=1)


def goes_to(bench: Benchmark, level: int, noise: float = 0.0) -> ps.Precondition:
    """Pruning has so many levels."""
    says, last = f"pruning goes to level {level}", last_level(bench, "pruned", noise)
    return ps.Precondition(says, last.named(unit="levels"), at_least=level)


def last_level(bench: Benchmark, arm: Arm, noise: float) -> ps.Quantity:
    """The last level of an arm that every replicate reached."""
    return selecting(bench, arm, noise).map(lambda wrong: wrong.shape[1] - 1, unit="(last level that all reached)")


def optima_inside(
    bench: Benchmark, *arms: Arm, noises: Sequence[float] | None = None, rule: Rule = "optimal"
) -> tuple[ps.Precondition, ...]:
    """The chosen level is not the last that all replicates reached, where a better one may follow, and no chain broke.

    For a study's cautions. noises: by default all at which an arm is run.
    """
    cautions = []
    for arm, noise in product(arms, bench.noises if noises is None else noises):
        if depth := bench.depth(arm, noise):
            at, last = f"at {noise_name(noise)}, ", last_level(bench, arm, noise)
            beyond = ps.combined(np.subtract, last, best_level(bench, arm, noise, rule=rule), unit=TOO_SHORT)
            says = f"{at}the {rule.replace('_', ' ')} level of the arm '{arm}' comes before its last one"
            cautions.append(ps.Precondition(says, beyond, at_least=1))
            says = f"{at}no run of the arm '{arm}' failed, so that levels beyond are left out"
            cautions.append(ps.Precondition(says, last, at_least=depth))
        if depth and arm == "pruned":
            says = f"{at}pruning to the {rule.replace('_', ' ')} level lowers the test error by a standard deviation"
            gap = dense(bench, noise) - best(bench, arm, noise, rule=rule)
            cautions.append(ps.Precondition(says, gap.map(_in_deviations, label="", unit="of them"), at_least=1))
    return tuple(cautions)


def _in_deviations(values: Numbers) -> float:
    mean, deviation = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan
    if deviation:
        return mean / deviation
    return math.copysign(math.inf, mean) if mean else 0.0  # a network that is compared with itself gains nothing


def both_levels_inside(bench: Benchmark, noises: Sequence[float]) -> tuple[ps.Precondition, ...]:
    """The same of both rules that pick a level of pruning."""
    return tuple(inside for rule in RULES for inside in optima_inside(bench, "pruned", noises=noises, rule=rule))
