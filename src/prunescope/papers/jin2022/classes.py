"""Test error class by class, over sparsity and over width, without label noise."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import numpy as np

import prunescope as ps
from prunescope.base.errors import PrunescopeError
from prunescope.measures import ClassRisk
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark, Numbers
from prunescope.papers.jin2022.claims import MORE, Says, by_chance, no_more_than_by_chance
from prunescope.papers.jin2022.figures import over_sparsity
from prunescope.papers.jin2022.quantities import ERROR, rank_agreement, remaining
from prunescope.papers.readings import at_end
from prunescope.papers.whom import of_whom, on_test

MARGIN = 0.5
"""Percentage points by which a class has to lose to count as harmed; proposed."""
NOISE = 0.0
"""Section 7 speaks of training without label noise."""
SUMMARIES: Mapping[str, Callable[[Numbers], float]] = {
    "worst class": np.nanmax,
    "mean over classes": np.nanmean,
    "best class": np.nanmin,
}
"""What is drawn of the changes of all classes."""


def changes(bench: Benchmark, arm: Arm, level: int) -> ps.Quantity:
    """Test error of each class minus the dense network's, percentage points, [replicates, classes].

    Not a number for a class without test examples, of which nothing is known.
    """
    sparse, dense = (
        ps.each(
            lambda risk: np.where(risk["examples"] > 0, risk["error"], np.nan),
            [at_end(p.recipe, ClassRisk(split="test")) for p in row],
            unit=ERROR,
        )
        for row in (bench.row(arm, NOISE, level), bench.row("dense", NOISE, 0))
    )
    return (sparse - dense).map(lambda change: 100 * change)


def tested(change: ps.Quantity) -> ps.Quantity:
    """The same without the classes that have no test examples."""
    return change.map(lambda classes: classes[:, ~np.isnan(classes).all(axis=0)])


def figure(bench: Benchmark, arms: Sequence[Arm], *, claims: Sequence[ps.Claim] = ()) -> ps.Figure:
    """The change of the worst and of the best class over weights remaining, one panel an arm."""
    return ps.Figure(
        "classes",
        "Section 7: change in test error by class",
        caption="Test error of a class minus the dense network's on it, without label noise: the class that changes "
        "most for the worse, for the better, and the mean over classes. The worst of several classes lies above 0 "
        "by chance alone; the same of the mildest levels shows by how much.",
        rows=[_rows(bench, arm, level) for arm in arms for level in bench.levels_of(arm, NOISE)[1:]],
        plot=over_sparsity("change", "change in test error, points", series="series"),
        claims=tuple(claims),
    )


def _rows(bench: Benchmark, arm: Arm, level: int) -> ps.Computed:
    """The summaries and the change of every class, whose number only the results say."""
    change, x = changes(bench, arm, level), remaining(bench, arm, NOISE, level)

    def rows(results: ps.Results) -> Iterator[ps.Row]:
        for number, (classes, weights) in enumerate(zip(change(results), x(results), strict=True)):
            by_class = {f"class_{place}": float(value) for place, value in enumerate(classes)}
            for name, summary in SUMMARIES.items():
                shared = {"series": name, "replicate": number, "level": level, "weights_remaining": float(weights)}
                yield {**shared, "change": float(summary(classes)), **by_class}

    def table(results: ps.Results) -> ps.Table:
        with contextlib.suppress(PrunescopeError):
            return list(rows(results))
        return []

    return ps.Computed(ps.nodes_of([change, x]), table, {"panel": LABELS[arm]})


def named_figures(bench: Benchmark) -> Iterator[ps.Figure]:
    """Every class by name, and every group of the user's own: what the best and the last level of pruning do to it."""
    chosen_on = "held-out examples" if bench.base.task.data.validation else "the same test set"
    return of_whom(
        [point.recipe for point in bench.row("dense", NOISE, 0)],
        {
            "best level": on_test(bench.chosen("pruned", NOISE)),
            f"level {bench.levels}": on_test([p.recipe for p in bench.row("pruned", NOISE, bench.levels)]),
        },
        caption=f" The best level is chosen on {chosen_on}.",
    )


def harm(bench: Benchmark) -> Iterator[ps.Claim]:
    """One level harms no class, the last one does, and a narrow network harms the same ones (section 7)."""
    first, last = (tested(changes(bench, "pruned", level)) for level in (1, bench.levels))
    narrowest = tested(changes(bench, "width", bench.depth("width", NOISE)))
    place = "section 7 (of groups of examples; classes are left open there)"
    says = partial(Says(bench), place=place, statement="class-harm")
    text = (
        f"one level of pruning raises the test error of no more classes by {MARGIN:g} points than the paper's rule "
        f"finds where nothing differs ({100 * by_chance(bench.replicates):.0f} %)"
    )
    region = no_more_than_by_chance(bench.replicates, margin=MARGIN)
    yield says("class-harm-comes-late", first.named(unit="share of classes not harmed"), region, text)

    worst_last, worst_first = (
        change.map(lambda classes: classes.max(axis=1), label=f"worst class, {level} level")
        for change, level in ((last, "last"), (first, "first"))
    )
    text = f"the test error of the class that pruning harms most rises by more at level {bench.levels} than at level 1"
    yield says("class-harm-grows", worst_last - worst_first, MORE, text)

    text = (
        "the classes whose test error rises most at the highest sparsity are those whose error rises most in the "
        "narrowest dense network"
    )
    ranked = cast(int, bench.base.task.network.args["classes"])
    agree = ps.CorrelationDirection("greater", ranked=ranked)
    yield says("class-harm-is-of-size", rank_agreement(last, narrowest, over="classes"), agree, text)
