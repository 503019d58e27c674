"""Figures of memorization and influence beside EL2N and pruning.

Belongs here: tables and how they are drawn. Does not belong here: the numbers (`retrained.py`), claims
(`influence_statements.py`).
"""

from collections.abc import Iterable, Sequence

import numpy as np

from prunescope.base.streams import stream
from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Numbers, noise_name
from prunescope.papers.jin2022.retrained import Retrained, correlation
from prunescope.studies import statistics
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Intervals, Lines
from prunescope.studies.groups import equal_groups
from prunescope.studies.results import Results
from prunescope.studies.statistics import Interval

AGREEMENT = "itself, from other networks"


def correlations(cases: Sequence[Retrained]) -> Figure:
    """Rank correlation of memorization with everything that may go with it, one panel a noise level."""

    def table(results: Results) -> list[dict[str, object]]:
        return [row for case in cases for row in _correlation_rows(results, case)]

    return Figure(
        "influence-correlations",
        "What goes with memorization",
        caption="Spearman's rank correlation, over training examples, of memorization with each number: mean over "
        "replicates and 95 % interval (of a single replicate: bootstrap over examples); none where the dense network "
        "itself is optimal. Memorization from one half of the networks with that from the other half says how much of "
        "a correlation estimation noise leaves.",
        table=table,
        plot=Intervals(
            "with", "estimate", "low", "high", x_label="rank correlation with memorization", zero=True
        ),
        lineage=_lineage(cases),
    )


def _correlation_rows(results: Results, case: Retrained) -> list[dict[str, object]]:
    names = list(case.predictors(results, 0))
    found = {name: case.correlations(results, name) for name in names} | {AGREEMENT: case.agreement(results)}
    rows: list[dict[str, object]] = []
    for name, values in found.items():
        interval = _interval(results, case, name, values)
        rows.append(
            {
                "panel": noise_name(case.noise),
                "with": name,
                "estimate": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                **{f"replicate_{number}": float(value) for number, value in enumerate(values)},
            }
        )
    return rows


def _interval(results: Results, case: Retrained, name: str, values: Numbers) -> Interval:
    """Of several replicates Student's interval of the mean; of one the bootstrap over its examples.

    Not a number where there is no correlation: at the optimal level, if that is the dense network.
    """
    if not np.isfinite(values).all():
        return Interval(np.nan, np.nan, np.nan, 0.95)
    if len(values) > 1:
        return statistics.t_interval(values)
    estimates = results[case.memorization[0]]
    pair = (
        (estimates["even"], estimates["odd"])
        if name == AGREEMENT
        else (estimates["memorization"], case.predictors(results, 0)[name])
    )
    return statistics.bootstrap_interval(
        np.arange(len(pair[0]), dtype=np.float64),
        stream(0, "bootstrap", name),
        statistic=lambda rows: correlation(*(part[rows.astype(np.int64)] for part in pair)),
        resamples=500,
    )


def by_percentile(cases: Sequence[Retrained]) -> Figure:
    """Mean memorization of the groups of examples by EL2N, the axis of the paper's Figures 1b, 2 and 5."""

    def table(results: Results) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for case in cases:
            for number, node in enumerate(case.memorization):
                found = results[node]
                group = equal_groups(case.sub.score_values(results, case.noise, number), case.sub.groups)
                for place, percentile in enumerate(case.sub.percentiles):
                    inside = group == place
                    rows.append(
                        {
                            "noise": noise_name(case.noise),
                            "replicate": number,
                            "percentile": float(percentile),
                            "memorization": float(np.nanmean(found["memorization"][inside])),
                            "standard_error_of_an_example": float(
                                np.sqrt(np.nanmean(found["memorization_se"][inside] ** 2))
                            ),
                        }
                    )
        return rows

    return Figure(
        "influence-percentiles",
        "Memorization by EL2N",
        caption="Mean memorization of the training examples in equal groups by EL2N. The data hold the root mean "
        "square of the standard errors of single examples in each group.",
        table=table,
        plot=Lines(
            "percentile",
            "memorization",
            series="noise",
            x_label="EL2N percentile of the training examples",
            y_label="mean memorization",
        ),
        lineage=_lineage(cases),
    )


def pairs(cases: Sequence[Retrained]) -> Figure:
    """How many pairs of a memorized training and a test example have a large influence, beside chance."""

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": noise_name(case.noise),
                "count": name,
                "replicate": number,
                "noise": 100 * case.noise,
                "pairs": float(results[node][key]),
                "memorized_examples": int(results[node]["examples"]),
            }
            for case in cases
            for number, node in enumerate(case.pairs)
            for name, key in (("measured", "pairs"), ("by chance", "by_chance"))
        ]

    return Figure(
        "influence-pairs",
        "Pairs of a memorized training example and a test example with a large influence",
        caption="Pairs of a training example with memorization of at least 0.25 and a test example on which networks "
        "are right at least 15 points more often when trained on it, beside the count after the networks' test results "
        "were handed round among them.",
        table=table,
        plot=Lines("noise", "pairs", series="count", panel="", x_label="label noise, %", y_label="pairs"),
        lineage=_lineage(cases),
    )


def _lineage(cases: Iterable[Retrained]) -> dict[str, list[Value]]:
    return {
        noise_name(case.noise): [
            run for number in range(case.bench.replicates) for run in case.members(number)
        ]
        for case in cases
    }
