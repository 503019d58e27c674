"""Test error class by class, over sparsity and over width, and what Jin et al. 2022 say of harm.

Belongs here: readings, the figure and claims by class. Does not belong here: groups by EL2N (`subgroups.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from prunescope.measures import ClassRisk
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, Point
from prunescope.papers.jin2022.expected import said
from prunescope.papers.jin2022.harm import by_chance, no_more_than_by_chance
from prunescope.papers.jin2022.statements import POINTS, fits_clean
from prunescope.papers.jin2022.views import LABELS
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.studies import statistics
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure, Lines
from prunescope.studies.region import Direction
from prunescope.studies.results import Results

PLACE = "section 7 (of groups of examples; classes are left open there)"
MARGIN = 0.5
"""Percentage points by which a class has to lose to count as harmed; proposed."""
NOISE = 0.0
"""Section 7 speaks of training without label noise."""
SUMMARIES: Mapping[str, Callable[[Numbers], float]] = MappingProxyType(
    {"worst class": np.max, "mean over classes": np.mean, "best class": np.min}
)
"""What is drawn of the changes of all classes."""


def reading(point: Point) -> Reading:
    """Test error by class of one network."""
    return Reading(measure=ClassRisk(split="test"), state=final(point.recipe))


def readings(bench: Benchmark, arms: Sequence[Arm]) -> list[Reading]:
    """The test errors by class of all networks of some arms."""
    return [reading(p) for p in bench.points if p.noise == NOISE and p.arm in ("dense", *arms)]


def changes(bench: Benchmark, results: Results, arm: Arm, level: int) -> Numbers:
    """Test error of each class minus the dense network's, percentage points, [replicates, classes]."""
    pairs = zip(bench.row(arm, NOISE, level), bench.row("dense", NOISE, 0), strict=True)
    return np.stack(
        [100 * (results[reading(p)]["error"] - results[reading(dense)]["error"]) for p, dense in pairs]
    )


def figure(bench: Benchmark, arms: Sequence[Arm]) -> Figure:
    """The change of the worst and of the best class over weights remaining, one panel an arm."""

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": LABELS[arm],
                "series": name,
                "replicate": point.replicate,
                "level": level,
                "weights_remaining": bench.remaining(results, point),
                "change": float(summary(change)),
                **{f"class_{number}": float(value) for number, value in enumerate(change)},
            }
            for arm in arms
            for level in range(1, bench.depth(arm, NOISE) + 1)
            for point, change in zip(
                bench.row(arm, NOISE, level), changes(bench, results, arm, level), strict=True
            )
            for name, summary in SUMMARIES.items()
        ]

    return Figure(
        "classes",
        "Section 7: change in test error by class",
        caption="Test error of a class minus the dense network's on it, without label noise: the class that changes "
        "most for the worse, for the better, and the mean over classes. The worst of several classes lies above 0 "
        "by chance alone; the same of the mildest levels shows by how much.",
        table=table,
        plot=Lines(
            "weights_remaining",
            "change",
            series="series",
            x_label="weights remaining, %",
            y_label="change in test error, points",
            log_x=True,
            reverse_x=True,
        ),
        lineage={
            LABELS[arm]: [p.recipe for p in bench.points if p.arm == arm and p.noise == NOISE] for arm in arms
        },
    )


def no_class_is_harmed_early(bench: Benchmark) -> Claim:
    """One level of pruning makes no more classes worse, by the paper's rule, than that rule calls worse by chance."""
    return Claim(
        "class-harm-comes-late",
        f"Without label noise, one level of pruning raises the test error of no more classes by {MARGIN:g} points than "
        f"the paper's rule finds where nothing differs ({100 * by_chance(bench.replicates):.0f} %).",
        **said("class-harm", bench.name, PLACE),
        region=no_more_than_by_chance(bench.replicates, margin=MARGIN),
        sample=lambda r: changes(bench, r, "pruned", 1),
        preconditions=(fits_clean(bench),),
        unit="share of classes not harmed",
    )


def more_classes_are_harmed_late(bench: Benchmark) -> Claim:
    """The worst class loses more at the highest sparsity than after one level (section 7)."""
    return Claim(
        "class-harm-grows",
        f"Without label noise, the test error of the class that pruning harms most rises by more at level "
        f"{bench.levels} than at level 1.",
        **said("class-harm", bench.name, PLACE),
        region=Direction("greater"),
        sample=lambda r: (
            changes(bench, r, "pruned", bench.levels).max(axis=1) - changes(bench, r, "pruned", 1).max(axis=1)
        ),
        preconditions=(fits_clean(bench),),
        unit=f"{POINTS} of test error, worst class, last level minus first",
    )


def width_harms_the_same_classes(bench: Benchmark) -> Claim:
    """The classes that lose most by pruning lose most by a smaller width, too (section 7)."""

    def sample(results: Results) -> list[float]:
        pruned = changes(bench, results, "pruned", bench.levels)
        width = changes(bench, results, "width", bench.depth("width", NOISE))
        return [statistics.rank_correlation(one, other) for one, other in zip(pruned, width, strict=True)]

    return Claim(
        "class-harm-is-of-size",
        "Without label noise, the classes whose test error rises most at the highest sparsity are those whose error "
        "rises most in the narrowest dense network.",
        **said("class-harm", bench.name, PLACE),
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits_clean(bench),),
        unit="rank correlation over classes",
    )
