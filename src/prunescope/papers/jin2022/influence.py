"""jin2022/influence: Are the training examples whose loss pruning changes most those that networks memorize, and is
EL2N a good stand-in for that?

Memorization is measured by networks that are retrained on random subsets.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

import prunescope as ps
from prunescope.base.streams import stream
from prunescope.papers.jin2022 import PAPERS
from prunescope.papers.jin2022.arms import Numbers
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import is_sparse, optima_inside, rank_agreement, rank_correlation
from prunescope.papers.jin2022.retrained import LAST_RISE, RISE, Retrained
from prunescope.papers.jin2022.scales import Count, Name, Share, Size
from prunescope.papers.jin2022.settings import arms, notes, words
from prunescope.papers.jin2022.subgroups import subgroups
from prunescope.papers.readings import noise_name
from prunescope.studies import statistics
from prunescope.studies.groups import equal_groups
from prunescope.studies.statistics import Interval

COST = {"smoke": "half a minute or less", "laptop": "30 minutes", "paper": "100 hours"}
FIGURE = "beside section 3; not in the paper"
AGREEMENT = 0.3
"""Rank correlation of two halves of the networks from which memorization counts as measured; proposed."""
PLACE = "proposed here: Jin et al. 2022, section 3, with memorization measured instead of approximated"
PAIRS = "Feldman and Zhang 2020, section 3 (with thousands of networks; the comparison with chance is proposed)"


class Settings(ps.Value):
    """What is trained.

    benchmark: network, data and training.
    noise: share of wrong labels beside none.
    replicates: runs of the dense and pruned networks, each with its own seed.
    models: networks trained on random subsets, for each noise level and replicate.
    left_out: share of the training examples that each of them lacks.
    share: of the data set's training examples that take part.
    epochs: length of every level.
    levels: pruning steps; each removes 20 % of the remaining weights.
    ensemble: networks behind an EL2N score.
    groups: of equally many examples, by EL2N.
    looks: how often an example is looked at for forgetting events.
    """

    benchmark: Name = "lenet"
    noise: Annotated[float, Field(gt=0, lt=1)] = 0.15
    replicates: Count = 3
    models: Annotated[int, Field(ge=4)] = 70
    left_out: Annotated[float, Field(gt=0, lt=1)] = 0.3
    share: Share = 1 / 12
    epochs: Count = 40
    levels: Count = 24
    ensemble: Count = 10
    groups: Annotated[int, Field(ge=5)] = 20
    looks: Count = 20


SCALES = {
    "smoke": Settings(
        benchmark="digits",
        noise=0.4,
        replicates=2,
        models=6,
        share=0.2,
        epochs=2,
        levels=1,
        ensemble=2,
        groups=5,
        looks=2,
    ),
    "laptop": Settings(),
    "paper": Settings(models=2000, share=1.0),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = _size(settings)
    bench = replace(arms(size), extended_levels=0, width_levels=0)
    sub = subgroups(bench, size)
    cases = [
        Retrained(sub, noise, models=settings.models, left_out=settings.left_out, looks=settings.looks)
        for noise in bench.noises
    ]
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=f"{words(size, scale)}; {settings.models} networks on {100 * (1 - settings.left_out):g} % of them",
        paper=PAPERS["jin2022"],
        rule=ps.OneStandardDeviation(),
        figures=(
            _correlations(cases),
            _by_percentile(cases),
            _pairs(cases),
            error_figure(bench, arms=("pruned",), name="influence-error"),
        ),
        cautions=optima_inside(bench, "pruned"),
        claims=tuple(_flipped_are_memorized(case) for case in cases if case.noise),
        notes=(
            *notes(size),
            "Memorization of an example: how much more often networks are right about it when they were trained on it "
            "than when they were not (Feldman and Zhang 2020). The paper itself only approximates influence, by EL2N.",
            "Thousands of networks are usual for single pairs of a training and a test example; with as few as here "
            "only memorization is measured well, as the agreement of two halves of the networks shows.",
        ),
    )


def _size(settings: Settings) -> Size:
    noises = (0.0, settings.noise)
    shared = ("benchmark", "replicates", "levels", "epochs", "share", "ensemble", "groups")
    values = {name: getattr(settings, name) for name in shared}
    return Size(noises=noises, controls=noises, extended_levels=(1, 1), width_levels=1, **values)


def _correlations(cases: Sequence[Retrained]) -> ps.Figure:
    """Rank correlation of memorization with everything that may go with it, one panel a noise level."""
    return ps.Figure(
        "influence-correlations",
        "What goes with memorization",
        caption="Spearman's rank correlation, over training examples, of memorization with each number: mean over "
        "replicates and 95 % interval (of a single replicate: bootstrap over examples); none where the dense network "
        "itself is optimal. Memorization from one half of the networks with that from the other half says how much of "
        "a correlation estimation noise leaves.",
        rows=[row for case in cases for row in _correlation_rows(case)],
        plot=ps.Intervals("with", "estimate", "low", "high", x_label="rank correlation with memorization", zero=True),
        claims=tuple(claim for case in cases for claim in _account(case)),
    )


def _correlation_rows(case: Retrained) -> Iterator[ps.Computed]:
    """For each number the mean correlation over replicates, its interval, and that of each replicate."""
    pairs = {name: (case.estimate(), values) for name, values in case.predictors.items()}
    pairs["itself, from other networks"] = (case.estimate("even"), case.estimate("odd"))
    for name, pair in pairs.items():
        make = partial(_correlation_row, name, *pair)
        yield ps.Computed(ps.nodes_of(pair), make, {"panel": noise_name(case.noise), "with": name})


def _correlation_row(name: str, first: ps.Quantity, second: ps.Quantity, results: ps.Results) -> list[ps.Row]:
    values = rank_agreement(first, second)(results)
    interval = _interval(values, first(results)[0], second(results)[0], name)
    ends = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return [ends | {f"replicate_{number}": float(value) for number, value in enumerate(values)}]


def _interval(values: Numbers, first: Numbers, second: Numbers, name: str) -> Interval:
    """Of several replicates Student's interval of the mean; of one the bootstrap over its examples.

    Not a number where there is no correlation: at the optimal level, if that is the dense network.
    """
    if not np.isfinite(values).all():
        return Interval(np.nan, np.nan, np.nan, 0.95)
    if len(values) > 1:
        return statistics.correlation_interval(values, ranked=len(first))

    def resampled(samples: Numbers) -> Numbers:
        return np.array([rank_correlation(first[places], second[places]) for places in samples.astype(np.int64)])

    every, draws = np.arange(len(first), dtype=np.float64), stream(0, "bootstrap", name)
    return statistics.bootstrap_interval(every, draws, statistic=resampled, resamples=500)


def _by_percentile(cases: Sequence[Retrained]) -> ps.Figure:
    """Mean memorization of the groups of examples by EL2N, the axis of the paper's Figures 1b, 2 and 5."""
    x_label = "EL2N percentile of the training examples"
    return ps.Figure(
        "influence-percentiles",
        "Memorization by EL2N",
        caption="Mean memorization of the training examples in equal groups by EL2N. The data hold the root mean "
        "square of the standard errors of single examples in each group.",
        rows=[_percentile_rows(case) for case in cases],
        plot=ps.Lines("percentile", "memorization", series="noise", x_label=x_label, y_label="mean memorization"),
    )


def _percentile_rows(case: Retrained) -> ps.Rows:
    groups = range(case.sub.groups)

    def means(values: Numbers, scores: Numbers) -> list[list[float]]:
        """Of the examples of a group that have a number: [replicates, groups]."""
        group = [equal_groups(row, len(groups)) for row in scores]
        return [[float(np.nanmean(v[g == k])) for k in groups] for v, g in zip(values, group, strict=True)]

    scores, variance = case.sub.score_values(case.noise), case.estimate("memorization_se").map(np.square)
    values = {
        "memorization": ps.combined(means, case.estimate(), scores),
        "standard_error_of_an_example": ps.combined(means, variance, scores).map(np.sqrt),
    }
    return ps.Rows({"noise": noise_name(case.noise)}, values, parts={"percentile": case.sub.percentiles})


def _pairs(cases: Sequence[Retrained]) -> ps.Figure:
    """How many pairs of a memorized training and a test example have a large influence, beside chance."""
    return ps.Figure(
        "influence-pairs",
        "Pairs of a memorized training example and a test example with a large influence",
        caption="Pairs of a training example with memorization of at least 0.25 and a test example on which networks "
        "are right at least 15 points more often when trained on it, beside the count after the networks' test results "
        "were handed round among them.",
        rows=[
            ps.Rows(
                {"panel": noise_name(case.noise), "count": count, "noise": 100 * case.noise},
                {"pairs": ps.column(case.pairs, name), "memorized_examples": ps.column(case.pairs, "examples")},
            )
            for case in cases
            for count, name in (("measured", "pairs"), ("by chance", "by_chance"))
        ],
        plot=ps.Lines("noise", "pairs", series="count", panel="", x_label="label noise, %", y_label="pairs"),
        claims=tuple(_pairs_are_more(case) for case in cases if not case.noise),
    )


def _account(case: Retrained) -> Iterator[ps.Claim]:
    """What follows for measured memorization if the paper's account of pruning is right."""
    says, sparse, measured = Says(case.bench, case.noise), is_sparse(case.bench, case.noise), _measured(case)
    more, less = (ps.CorrelationDirection(side, ranked=case.bench.base.train_examples) for side in ("greater", "less"))
    text, name = "training examples with a higher EL2N are memorized more", "el2n-goes-with-memorization"
    name = name if case.noise else f"{name}-0"
    yield says(name, case.correlation("EL2N"), more, text, measured, place=PLACE)

    change, last = case.correlation(RISE), case.correlation(LAST_RISE)
    text = "at the {} sparsity the loss {} most on the examples that are memorized most"
    if case.noise == 0:
        falls = text.format("optimal", "falls")
        yield says("memorized-improve-most", change, less, falls, sparse, measured, place=PLACE)
    else:
        rises, at_last = text.format("optimal", "rises"), text.format("highest", "rises")
        yield says("memorized-are-given-up", change, more, rises, sparse, measured, place=PLACE)
        yield says("memorized-are-given-up-at-last", last, more, at_last, measured, place=PLACE)


def _measured(case: Retrained) -> ps.Precondition:
    says = "two halves of the networks agree on what is memorized"
    return ps.Precondition(says, case.agreement, at_least=AGREEMENT)


def _pairs_are_more(case: Retrained) -> ps.Claim:
    measured, by_chance = (ps.column(case.pairs, name, unit="pairs") for name in ("pairs", "by_chance"))
    more = measured.named("measured") - by_chance.named("by chance")
    text = "more pairs of a memorized training example and a test example have a large influence than by chance"
    claim = Says(case.bench)("influence-beyond-chance", more, MORE, text, _measured(case), place=PAIRS)
    return replace(claim, basis="recalled", place=PAIRS)


def _flipped_are_memorized(case: Retrained) -> ps.Claim:
    def excess(values: Numbers, noisy: Numbers) -> list[float]:
        pairs = zip(values, noisy > 0, strict=True)
        return [float(np.nanmean(row[flipped]) - np.nanmean(row[~flipped])) for row, flipped in pairs]

    noisy = ps.arrays([point.examples for point in case.bench.row("dense", case.noise, 0)], "noisy")
    label, unit = "flipped minus others", "mean memorization"
    more = ps.combined(excess, case.estimate(), noisy, label=label, unit=unit)
    text = "examples with a flipped label are memorized more than the others"
    place = "proposed here: a label that nothing else supports can only be memorized"
    return Says(case.bench, case.noise)("flipped-are-memorized", more, MORE, text, place=place)
