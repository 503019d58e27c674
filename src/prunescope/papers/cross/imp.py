"""cross/imp: What goes with the gain of iterative pruning: instability, flatness, barriers, calibration, or forgetting?

On the runs of jin2022/column: stability as Bartoldson et al. have it, flatness, barriers, calibration, the hard
examples of Paul et al., and masks at initialization as Yang et al. have them.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import prunescope as ps
from prunescope.measures import AdaptiveSharpness, Barrier, PruningRise, Sample
from prunescope.papers.atinit.methods import bernoulli
from prunescope.papers.jin2022 import settings as column
from prunescope.papers.jin2022.answers import calibration
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers
from prunescope.papers.jin2022.claims import MORE
from prunescope.papers.jin2022.figures import level_rows, over_sparsity
from prunescope.papers.jin2022.quantities import (
    best_level,
    each_level,
    over_levels,
    rank_agreement,
    remaining,
    test_error,
    train,
)
from prunescope.papers.jin2022.settings import arms, words
from prunescope.papers.jin2022.subgroups import Subgroups, subgroups
from prunescope.papers.readings import at_end, noise_name, risk_on_train

COST = {"smoke": "half a minute or less", "laptop": "3 hours", "paper": "a day"}
FIGURE = "beside Jin et al. 2022, Figures 3 to 5; in no paper"
PLACE = "proposed here, across papers"
HALF = 0.5
"""Of the noisy labels: a network that fits fewer does not fit the noise."""
FITTED = "% of noisy labels fitted"
ENOUGH = 8
"""Replicates, for what is said of single replicates."""
SHARPNESS = AdaptiveSharpness(sample=Sample(examples=256), steps=1, draws=8)
BARRIER = Barrier(points=5, examples=2000)

OfLevel = Callable[[Benchmark, Arm, float, int], ps.Quantity]


class Settings(column.Settings):
    """Those of jin2022/column, of which the most label noise is looked at.

    early_level: level whose measures are to predict the test error at the optimum.
    """

    early_level: int = Field(default=3, ge=1)


SCALES: Mapping[str, Settings] = {
    name: Settings(**{**dict(value), "early_level": 1 if name == "smoke" else 3})
    for name, value in column.SCALES.items()
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench, noise = arms(size), max(size.noises)
    if not noise > 0 or settings.early_level > size.levels:
        raise ps.UsageError(
            f"noises={list(size.noises)}, levels={size.levels}: give label noise, and early_level up to levels"
        )
    measures = measured(bench, subgroups(bench, size))
    curves = {name: over_levels(bench, "pruned", noise, measure) for name, measure in measures.items()}
    claims = (
        *_over_levels(bench, noise, curves),
        _at_random(bench, noise),
        *_foretells(bench, noise, {n: measures[n] for n in FORETELLING}, settings.early_level),
    )
    return ps.Study(
        *ps.titled(__doc__),
        settings=size,
        scale=words(size, scale),
        figures=(_levels(bench, noise, measures), _random_figure(bench, noise)),
        claims=claims,
        notes=(
            "Over the levels of one chain nearly everything rises or falls with sparsity, so a rank correlation over "
            "levels says that two curves have one shape, not that one number moves the other.",
            "All claims were written down before any of these networks was looked at; none is a published one.",
        ),
    )


def measured(bench: Benchmark, sub: Subgroups) -> dict[str, OfLevel]:
    """What is measured of every level, by name; each of it is expected to rise with test error."""
    return {
        "sharpness": _reading(SHARPNESS, "average", unit="nats"),
        "barrier": _barrier,
        "calibration error": calibration,
        "gentle": partial(_gentle, sub),
    }


FORETELLING = ("sharpness", "calibration error")


def _reading(measure: ps.Measure, name: str, *, unit: str, scale: float = 1.0) -> OfLevel:
    def of(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
        nodes = [at_end(p.recipe, measure) for p in bench.row(arm, noise, level)]
        return ps.column(nodes, name, scale=scale, unit=unit)

    return of


def rise(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Rise of the test error at the pruning that leads to a level, points: the instability of Bartoldson et al."""
    measure = PruningRise(fraction=1 - bench.keeps, exclude=bench.prune.exclude)
    return _reading(measure, "error", unit="points", scale=100)(bench, arm, noise, level - 1)


def given_up(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Noisy labels that a level fits no more and the one before fitted, points."""
    after, before = (
        train(bench, arm, noise, n, name="noisy_error", scale=100, unit="points") for n in (level, level - 1)
    )
    return after - before


def _barrier(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """Height of the test error between a level and the dense network, statistics recalibrated if there are any."""
    pairs = zip(bench.row(arm, noise, level), bench.row("dense", noise, 0), strict=True)
    nodes = [ps.Compared(comparison=BARRIER, first=ps.final(d.recipe), second=ps.final(p.recipe)) for p, d in pairs]

    def height(found: Mapping[str, NDArray[np.float64]]) -> float:
        return 100 * float(found.get("recalibrated_error_barrier", found["error_barrier"]))

    return ps.each(height, nodes, unit="points")


def _gentle(sub: Subgroups, bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
    """The fifth of the examples whose loss rises most from the dense network: how many are not of most EL2N, percent.

    NaN for the dense network.
    """

    def others(scores: Numbers, rises: Numbers) -> list[float]:
        count = scores.shape[1] // 5
        pairs = zip(scores, rises, strict=True)
        both = [len(np.intersect1d(np.argsort(s)[-count:], np.argsort(r)[-count:])) for s, r in pairs]
        return [100 - 100 * n / count if level else float("nan") for n in both]

    cells: tuple[tuple[Arm, int], ...] = ((arm, level), ("dense", 0))
    sparse, dense = (ps.arrays([p.examples for p in bench.row(a, noise, n)], "loss") for a, n in cells)
    return ps.combined(others, sub.score_values(noise), sparse - dense, unit="%")


def _over_levels(bench: Benchmark, noise: float, curves: Mapping[str, ps.Quantity]) -> Iterator[ps.Claim]:
    levels, at = range(1, bench.levels + 1), noise_name(noise)
    rises, lost = (ps.side_by_side([of(bench, "pruned", noise, n) for n in levels]) for of in (rise, given_up))
    text = f"At {at}, most noisy labels are given up after the prunings that raise test error most at once."
    yield ps.Claim("unstable-gives-up", text, rank_agreement(rises, lost, over="levels"), MORE, place=PLACE)
    error = over_levels(bench, "pruned", noise, test_error)
    for name, says in {
        "sharpness": "the flatter a level, the lower its test error",
        "barrier": "the lower the barrier to the dense network, the lower a level's test error",
        "calibration error": "the better calibrated a level, the lower its test error",
        "gentle": "the more of the hard examples by EL2N among those given up, the lower a level's test error",
    }.items():
        quantity = rank_agreement(curves[name], error, over="levels")
        claim = f"{name.replace(' ', '-')}-predicts"
        yield ps.Claim(claim, f"At {at}, {says}.", quantity, MORE, place=PLACE)


def fitted_at_random(bench: Benchmark, noise: float, level: int) -> ps.Quantity:
    """Share of the noisy labels, percent, that networks with as many weights as a level, at random places, fit."""
    masks = bernoulli(bench.keeps**level, exclude=bench.prune.exclude)
    runs = [point.recipe.replace(interventions=masks) for point in bench.row("dense", noise, 0)]
    return ps.column(map(risk_on_train, runs), "noisy_error").map(fit, unit=FITTED)


def fit(wrong: Numbers) -> Numbers:
    """The share that is fitted, percent, of the share that is not."""
    return 100 * (1 - wrong)


def _at_random(bench: Benchmark, noise: float) -> ps.Claim:
    fits = ps.side_by_side([fitted_at_random(bench, noise, n) for n in range(1, bench.levels + 1)])

    def gap(best: Numbers, fitted: Numbers) -> Numbers:
        below = fitted < 100 * HALF
        first = np.where(below.any(axis=1), below.argmax(axis=1) + 1.0, np.nan)
        return np.asarray(float(best) - first)

    quantity = ps.combined(gap, best_level(bench, "pruned", noise), fits, unit="levels")
    text = (
        f"At {noise_name(noise)}, pruning generalizes best, to within a level, where random masks of that size at "
        "initialization leave more than half of the noisy labels unfitted for the first time."
    )
    ends = ps.Precondition(
        "at the last level, random masks fit less than half of the noisy labels",
        fitted_at_random(bench, noise, bench.levels),
        at_most=100 * HALF,
    )
    return ps.Claim("optimum-is-capacity", text, quantity, ps.Near(0.0, 1.0), preconditions=(ends,), place=PLACE)


def _foretells(bench: Benchmark, noise: float, measures: Mapping[str, OfLevel], level: int) -> Iterator[ps.Claim]:
    """Over replicates: the products of standardized deviations, whose mean is the correlation."""
    errors = ps.side_by_side(each_level(bench, "pruned", noise, test_error))
    best = ps.combined(
        lambda all_levels, chosen: all_levels[:, int(np.ravel(chosen)[0])], errors, best_level(bench, "pruned", noise)
    )

    def products(x: Numbers, y: Numbers) -> Numbers:
        first, second = ((v - v.mean()) / v.std() for v in (x, y))
        return np.asarray(first * second)

    enough = ps.Precondition(
        f"there are {ENOUGH} replicates", ps.constant(bench.replicates, unit="replicates"), at_least=ENOUGH
    )
    for name, measure in measures.items():
        quantity = ps.combined(
            products, measure(bench, "pruned", noise, level), best, unit="correlation over replicates"
        )
        text = f"At {noise_name(noise)}, a lower {name} at level {level} means a lower test error at the optimum."
        claim = f"early-{name.replace(' ', '-')}-foretells"
        yield ps.Claim(claim, text, quantity, MORE, preconditions=(enough,), place=PLACE)


def _levels(bench: Benchmark, noise: float, measures: Mapping[str, OfLevel]) -> ps.Figure:
    """Every measure over sparsity, beside the test error; values of one panel have one unit."""
    panels: dict[str, OfLevel] = {"test error, %": test_error, **measures}
    rows: list[ps.Rows | ps.Computed] = [
        level_rows(bench, "pruned", noise, {"panel": name, "arm": "pruned"}, value=of) for name, of in panels.items()
    ]
    for name, change in {"rise at the pruning, points": rise, "noisy labels given up, points": given_up}.items():
        levels = range(1, bench.levels + 1)
        values = {
            "weights_remaining": ps.side_by_side([remaining(bench, "pruned", noise, n) for n in levels]),
            "value": ps.side_by_side([change(bench, "pruned", noise, n) for n in levels]),
        }
        rows.append(ps.Rows({"panel": name, "arm": "pruned"}, values, parts={"level": list(levels)}))
    return ps.Figure(
        "measures",
        f"What goes with test error over sparsity, {noise_name(noise)}",
        caption="Of every level of pruning. Sharpness: mean rise of training loss under noise in proportion to each "
        "weight. Barrier: test error between a level and the dense network. Gentle: of the fifth of the examples whose "
        "loss rises most, those not among the hardest fifth by EL2N. Rise: of the test error when weights go, before "
        "training. The star marks the level of least test error.",
        rows=rows,
        plot=over_sparsity("value", "see the panel", share_y=False, star="chosen"),
    )


def _random_figure(bench: Benchmark, noise: float) -> ps.Figure:
    levels = range(1, bench.levels + 1)
    pruned = ps.side_by_side(
        [train(bench, "pruned", noise, n, name="noisy_error").map(fit, unit=FITTED) for n in levels]
    )
    random = ps.side_by_side([fitted_at_random(bench, noise, n) for n in levels])
    series = {"pruned": pruned, "random at initialization": random}
    left = [100 * bench.keeps**n for n in levels]
    return ps.Figure(
        "capacity",
        f"Which networks still fit the noisy labels, {noise_name(noise)}",
        caption="Share of the noisy training labels that a network gives, of pruned networks and of networks with as "
        "many weights at random places from the beginning.",
        rows=[ps.Rows({"series": n}, {"fitted": q}, parts={"weights_remaining": left}) for n, q in series.items()],
        plot=over_sparsity("fitted", "noisy labels fitted, %", series="series"),
    )
