"""The numbers in the text of Jin et al. 2022, as claims about the benchmark that they belong to.

Belongs here: published numbers, their places and tolerances. Does not belong here: qualitative claims
(`statements.py`), claims about groups of examples (`subgroups.py`).

A number is met within half of itself or one percentage point, whichever is more; a range within one point of its
ends (losses: 50 % of the end). These tolerances are proposed here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np

from prunescope.papers.jin2022.arms import Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.expected import Said, said
from prunescope.papers.jin2022.fitting import fit_gap
from prunescope.papers.jin2022.statements import POINTS, fits_noise, gain, noisy
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Value
from prunescope.studies.results import Results

Range = tuple[float, float]

GAIN: Mapping[tuple[str, float], float] = MappingProxyType(
    {("vgg16", 0.15): 5.2, ("vgg16", 0.3): 16.1, ("vgg16", 0.6): 34.6}
)
"""Dense test error minus that at the optimal sparsity, percentage points. Source: section 4 (Fig. 3)."""

EXTENDED_GAP: Mapping[str, Range] = MappingProxyType(
    {
        "lenet": (0.0, 2.6),
        "resnet20": (0.4, 14.5),
        "vgg16": (3.6, 34.2),
        "resnet32": (0.0, 4.8),
        "resnet50": (-0.3, -0.3),
    }
)
"""Test error of extended dense training minus pruning, over noise levels, points. Source: section 5.1 (Fig. 6)."""

WIDTH_GAP: Mapping[str, Range] = MappingProxyType(
    {
        "lenet": (-4.0, 0.4),
        "resnet20": (0.0, 0.0),
        "vgg16": (1.5, 1.8),
        "resnet32": (0.0, 2.1),
        "resnet50": (0.36, 0.36),
    }
)
"""Least test error of width down-scaling minus that of pruning, over noise levels. Source: section 5.2 (Fig. 7)."""

DENSE_FIT_GAP: Range = (0.03, 0.13)
"""Training loss on noisy minus original examples, dense VGG-16 at 15 to 60 % noise, nats. Source: section 4."""

OPTIMAL_FIT_GAP: Range = (1.38, 2.97)
"""The same at the optimal sparsity. Source: section 4 (Fig. 4)."""

CONCENTRATION: Range = (3.5, 71.0)
"""Mean change in loss on the top 20 % of EL2N over that on the rest, at the optimum. Source: section 3 (Fig. 2a)."""


def gains(bench: Benchmark) -> tuple[Claim, ...]:
    """The published gains from pruning, where the benchmark has any."""
    return tuple(
        _claim(
            f"gain-number-{100 * noise:g}",
            f"At {noise_name(noise)}, pruning to the optimal sparsity gains {GAIN[bench.name, noise]:g} points.",
            said=said("gain-number", bench.name, "section 4", noise),
            region=Value(GAIN[bench.name, noise], max(GAIN[bench.name, noise] / 2, 1.0)),
            sample=partial(_gain, bench, noise),
            bench=bench,
            noise=noise,
        )
        for noise in noisy(bench)
        if (bench.name, noise) in GAIN
    )


def extended_gaps(bench: Benchmark) -> tuple[Claim, ...]:
    """The published range of what extended training lacks: at its own best, and when it has trained as long."""
    if bench.name not in EXTENDED_GAP:
        return ()

    def own_best(noise: float, results: Results) -> Numbers:
        return bench.at_best(results, "extended", noise) - bench.at_best(results, "pruned", noise)

    pairings: Mapping[str, tuple[str, Callable[[float, Results], Numbers]]] = {
        "its own best": ("best", own_best),
        "equal training": ("equal", partial(as_long, bench)),
    }
    return tuple(
        _claim(
            f"extended-gap-{short}-{100 * noise:g}",
            f"At {noise_name(noise)}, extended dense training (at {pairing}) errs more than pruning by "
            f"{_words(EXTENDED_GAP[bench.name])} points.",
            said=said(
                "extended-gap",
                bench.name,
                "section 5.1 (which training length is compared is not said)",
                noise,
            ),
            region=_within(EXTENDED_GAP[bench.name]),
            sample=partial(measure, noise),
            bench=bench,
            noise=noise,
            also=(trained_as_long(bench, noise),) if short == "equal" else (),
        )
        for pairing, (short, measure) in pairings.items()
        for noise in noisy(bench, "extended")
    )


def as_long(bench: Benchmark, noise: float, results: Results) -> Numbers:
    """Test error of extended training at the pruned optimum's level minus that optimum's, points, [replicates].

    Not a number where extended training was not run to that level.
    """
    level = bench.best_level(results, "pruned", noise)
    if level > bench.depth("extended", noise):
        return np.full(bench.replicates, np.nan)
    longer = bench.test_errors(results, "extended", noise)[level]
    return np.asarray(longer - bench.at_best(results, "pruned", noise))


def trained_as_long(bench: Benchmark, noise: float) -> Precondition:
    """Extended training was run to the level at which pruning is best."""
    return Precondition(
        "extended training was run as long as pruning to its optimum",
        lambda r: float(bench.depth("extended", noise) - bench.best_level(r, "pruned", noise)),
        at_least=0,
        unit="levels to spare",
    )


def width_gaps(bench: Benchmark) -> tuple[Claim, ...]:
    """The published range of what width down-scaling lacks."""
    if bench.name not in WIDTH_GAP:
        return ()

    def best_minus_best(noise: float, results: Results) -> Numbers:
        return bench.at_best(results, "width", noise) - bench.at_best(results, "pruned", noise)

    return tuple(
        _claim(
            f"width-gap-{100 * noise:g}",
            f"At {noise_name(noise)}, the least test error of width down-scaling exceeds that of pruning by "
            f"{_words(WIDTH_GAP[bench.name])} points.",
            said=said("width-gap", bench.name, "section 5.2", noise),
            region=_within(WIDTH_GAP[bench.name]),
            sample=partial(best_minus_best, noise),
            bench=bench,
            noise=noise,
        )
        for noise in noisy(bench, "width")
    )


def fit_gaps(bench: Benchmark, *, noises: Sequence[float] | None = None) -> tuple[Claim, ...]:
    """How much worse noisy examples are fitted than original ones, dense and at the optimum; VGG-16 only.

    noises: by default all.
    """
    if bench.name != "vgg16":
        return ()

    def gap(noise: float, where: str, results: Results) -> Numbers:
        level = 0 if where == "dense" else bench.best_level(results, "pruned", noise)
        return fit_gap(bench, results, "pruned", noise, level)

    return tuple(
        _claim(
            f"fit-gap-{where}-{100 * noise:g}",
            f"At {noise_name(noise)}, the loss on noisy examples exceeds that on original ones by {_words(ends)} nats "
            f"({where} network).",
            said=said("fit-gap", bench.name, "section 4", noise),
            region=_within(ends, points=0.0),
            sample=partial(gap, noise, where),
            bench=bench,
            noise=noise,
            unit="nats",
        )
        for where, ends in (("dense", DENSE_FIT_GAP), ("optimal", OPTIMAL_FIT_GAP))
        for noise in (noisy(bench) if noises is None else noises)
    )


def _gain(bench: Benchmark, noise: float, results: Results) -> Numbers:
    return gain(bench, results, noise)


def _claim(
    name: str,
    says: str,
    *,
    said: Said,
    region: Value,
    sample: Callable[[Results], Numbers],
    bench: Benchmark,
    noise: float,
    unit: str = POINTS,
    also: tuple[Precondition, ...] = (),
) -> Claim:
    return Claim(
        name,
        says,
        **said,
        region=region,
        sample=sample,
        preconditions=(fits_noise(bench, noise), *also),
        unit=unit,
    )


def _within(ends: Range, *, points: float = 1.0) -> Value:
    """Of the same sign, and beyond an end by at most half of it or so many points, whichever is more."""
    low, high = (end + side * max(abs(end) / 2, points) for side, end in zip((-1, 1), ends, strict=True))
    if ends[0] > 0:
        low = max(low, 0.0)
    if ends[1] < 0:
        high = min(high, 0.0)
    return Value((low + high) / 2, (high - low) / 2)


def _words(ends: Range) -> str:
    return f"{ends[0]:g}" if ends[0] == ends[1] else f"{ends[0]:g} to {ends[1]:g}"
