"""The kinds of figures that the two papers draw of any comparison.

Belongs here: rows and plots of accuracy over epochs, of quantities of every run, of arms side by side, over a number that
arms differ in, and of correlations. Does not belong here: which runs there are (`arms.py`), what only one figure draws
(its own file).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.papers.bartoldson.quantities import ANEW, Comparison, label
from prunescope.runs.graph import Trace
from prunescope.runs.recipe import Recipe
from prunescope.studies import correlation, statistics
from prunescope.studies.claim import Claim
from prunescope.studies.correlation import Correlation, Points, Statistic, Unit
from prunescope.studies.events import epochs
from prunescope.studies.figure import Computed, Figure, Rows
from prunescope.studies.plot import Intervals, Lines, Scatter, Table
from prunescope.studies.quantity import Quantity, each, nodes_of
from prunescope.studies.results import Numbers, Results
from prunescope.studies.statistics import Interval

Panels = Mapping[str, Comparison]
"""Comparisons by the title of their panel."""
Curves = Mapping[str, Mapping[str, Sequence[tuple[float, Quantity]]]]
"""By panel and series: every x with a quantity, labelled by its arm. Several arms may have one x."""
RESAMPLES = 1000
"""Of arms and seeds, behind the interval of a correlation."""
BAND = "Thin lines are runs, the band is the 95 % bootstrap interval of their mean"


def dynamics(
    panels: Panels, *, name: str, title: str, train: bool = False, claims: Iterable[Claim] = ()
) -> Figure:
    """Test accuracy after every epoch, after what happens there; a marker where something does.

    train: whether training accuracy, before what happens there, has panels too.
    """

    def rows(panel: str, comparison: Comparison, arm: str, split: str) -> Rows:
        traces = [comparison.observables.accuracy(run, split) for run in comparison.runs(arm)]
        columns = {"epoch": "epoch", "before": "before", "event": "event"}
        columns["accuracy"] = "after" if split == "test" else "before"
        values = {
            column: each(lambda trace, of=of: getattr(epochs(trace), of), traces)
            for column, of in columns.items()
        }
        where = f"{panel}: {'training' if split == 'train' else split} accuracy" if train else panel
        return Rows({"panel": where, "arm": arm}, values)

    return Figure(
        name,
        title,
        caption="Test accuracy after every epoch, on the far side of pruning (column before: on the near side)"
        f"{', and training accuracy on the near side' if train else ''}. {BAND}, markers are epochs with an event. "
        "BatchNorm keeps its running statistics right after an event, as in the paper.",
        rows=[
            rows(panel, comparison, arm, split)
            for panel, comparison in panels.items()
            for split in ("test", "train")[: 1 + train]
            for arm in comparison.by_name
        ],
        plot=Lines(
            "epoch",
            "accuracy",
            series="arm",
            x_label="epoch",
            y_label="accuracy, %" if train else "test accuracy, %",
            band="bootstrap",
            marks="event",
        ),
        claims=tuple(claims),
    )


def drops(
    panel: str, comparison: Comparison, *, name: str, title: str, claims: Iterable[Claim] = ()
) -> Figure:
    """The drop in test accuracy at every event that costs any, a curve an arm.

    Where they are measured, a second panel has drops with BatchNorm statistics estimated anew.

    Source: Bartoldson et al. 2019, Figure 1 left ("computed from only positive drop values").
    """

    def rows(how: str, arm: str, trace: Callable[[Recipe], Trace]) -> Computed:
        traces = [trace(run) for run in comparison.runs(arm)]

        def make(results: Results) -> Table:
            return [
                {"replicate": number, "epoch": float(epoch), "drop": float(drop)}
                for number, node in enumerate(traces)
                if node in results
                for seen in [epochs(results[node])]
                for epoch, drop in zip(seen.epoch[seen.event], seen.drops(), strict=True)
                if drop > 0
            ]

        return Computed(traces, make, {"panel": panel + how, "arm": arm})

    seen = comparison.observables
    ways: dict[str, Callable[[Recipe], Trace]] = {"": lambda run: seen.accuracy(run, "test")}
    ways |= {f", {ANEW}": seen.recalibrated} if seen.recalibration else {}
    return Figure(
        name,
        title,
        caption="Test accuracy just before an event minus that just after it, without events that cost nothing. Thin "
        "lines are runs, the band is the 95 % bootstrap interval of their mean.",
        rows=[rows(how, arm, trace) for arm in comparison.pruned for how, trace in ways.items()],
        plot=Lines(
            "epoch",
            "drop",
            series="arm",
            x_label="epoch",
            y_label="drop in test accuracy, percentage points",
            log_y=True,
            band="bootstrap",
        ),
        claims=tuple(claims),
    )


def scatter(
    panels: Panels,
    x: str,
    y: str,
    *,
    name: str,
    title: str,
    arms: Sequence[str] = (),
    claims: Iterable[Claim] = (),
) -> Figure:
    """Two quantities of every run, with Pearson's correlation over all of a panel's points."""

    def rows(panel: str, comparison: Comparison) -> Computed:
        def make(results: Results) -> Table:
            points = comparison.points(results, x, y, arms=arms)
            r = correlation.pearson(points)
            note = f"r = {r.estimate:.2f}, p = {r.p:.2g}, n = {r.n}"
            return [
                {"arm": arm, "replicate": seed, x: float(u), y: float(v), "note": note}
                for u, v, arm, seed in zip(points.x, points.y, points.arm, points.seed, strict=True)
            ]

        return Computed(comparison.nodes(x, y, arms=arms), make, {"panel": panel})

    return Figure(
        name,
        title,
        caption="One point a run. The line is a least-squares fit through all points. Points of an arm are not "
        "independent, so this p-value, which is the paper's kind, is too small; the figure of correlations has others.",
        rows=[rows(panel, comparison) for panel, comparison in panels.items()],
        plot=Scatter(x, y, series="arm", x_label=label(x), y_label=label(y), note="note"),
        claims=tuple(claims),
    )


def correlations(
    panels: Panels,
    pairs: Iterable[tuple[str, str]],
    *,
    name: str,
    title: str,
    given: Sequence[str] = (),
    arms: Sequence[str] = (),
    claims: Iterable[Claim] = (),
) -> Figure:
    """Correlations of pairs of quantities over runs, between arms and within arms, with intervals; a panel each pair.

    given: quantities, such as measures of flatness, each of which is held fixed in one more row: the mediators.
    """

    def rows(panel: str, comparison: Comparison, x: str, y: str) -> Computed:
        def make(results: Results) -> Table:
            table = [_estimate(*row) for row in _kinds(comparison.points(results, x, y, arms=arms))]
            for mediator in given:
                fixed = comparison.points(results, x, y, arms=arms, given=(mediator,))
                partial = _resampled(fixed, correlation.r_partial, correlation.partial(fixed))
                table.append(_estimate(f"with {mediator} held fixed", *partial))
            return table

        where = f"{label(x)} and {label(y)}"
        return Computed(
            comparison.nodes(x, y, *given, arms=arms), make, {"panel": f"{panel}: {where}" if panel else where}
        )

    return Figure(
        name,
        title,
        caption="Correlations over runs with their 95 % intervals: all runs as if independent (Fisher's interval, the "
        "paper's way), the same with arms and seeds resampled, Kendall's rank correlation, arms' means only, and "
        "within arms only, and the partial correlation where something is held fixed. The p-values are in the table.",
        rows=[
            rows(panel, comparison, x, y)
            for panel, comparison in panels.items()
            for x, y in pairs
            if comparison.measures(x, y)
        ],
        plot=Intervals("kind", "estimate", "low", "high", x_label="correlation", zero=True),
        claims=tuple(claims),
    )


def _kinds(points: Points) -> Iterator[tuple[str, Correlation, Interval]]:
    r, between = correlation.pearson(points), correlation.between_arms(points)
    yield "Pearson, all runs", r, correlation.fisher_interval(r)
    yield "Pearson, arms and seeds resampled", *_resampled(points, correlation.r, r)
    tau = correlation.kendall(points)
    yield "Kendall, arms and seeds resampled", *_resampled(points, correlation.tau, tau)
    yield "Pearson, between arms", between, correlation.fisher_interval(between)
    within = correlation.within_arms(points)
    yield "Pearson, within arms", *_resampled(points, correlation.r_within, within, unit="seed")


def _resampled(
    points: Points, statistic: Statistic, found: Correlation, *, unit: Unit = "arm and seed"
) -> tuple[Correlation, Interval]:
    generator = stream(0, "correlation")
    return found, correlation.bootstrap(points, statistic, generator, unit=unit, resamples=RESAMPLES)


def _estimate(kind: str, found: Correlation, interval: Interval) -> dict[str, object]:
    ends = {"low": interval.low, "high": interval.high}
    return {"kind": kind, "estimate": found.estimate, **ends, "p": found.p, "n": found.n}


def means(
    panels: Panels, quantities: Sequence[str], *, name: str, title: str, claims: Iterable[Claim] = ()
) -> Figure:
    """The mean of each quantity in every arm with its 95 % bootstrap interval: the papers' tables.

    The table has Student's interval and the standard deviation too. Beside what events cost stands the same with
    BatchNorm statistics estimated anew, wherever it is measured.
    """
    rows = []
    for panel, comparison in panels.items():
        for quantity in comparison.with_recalibrated(quantities):
            where = f"{panel}: {label(quantity)}" if panel else label(quantity)
            for arm in comparison.by_name:
                value = comparison.value(arm, quantity)
                rows.append(
                    Computed(
                        value.nodes,
                        lambda results, value=value: [_mean(value(results))],
                        {"panel": where, "arm": arm},
                    )
                )
    return Figure(
        name,
        title,
        caption="Means over runs with their 95 % bootstrap intervals, as in the papers; they are too narrow for fewer "
        "than about ten runs. t-intervals and standard deviations are in the table.",
        rows=rows,
        plot=Intervals("arm", "mean", "bootstrap_low", "bootstrap_high", x_label="mean over runs"),
        claims=tuple(claims),
    )


def _mean(values: Numbers) -> dict[str, object]:
    """Mean, standard deviation and intervals of what is finite; the bootstrap is that of the bands of curves."""
    finite = values[np.isfinite(values)]
    mean, std = (float(finite.mean()) if len(finite) else np.nan), np.nan
    ends = dict.fromkeys(("bootstrap_low", "bootstrap_high", "t_low", "t_high"), np.nan)
    if len(finite) > 1:
        std = float(finite.std(ddof=1))
        drawn = statistics.bootstrap_interval(finite, stream(0, "band"), resamples=500)
        student = statistics.t_interval(finite)
        ends = {"bootstrap_low": drawn.low, "bootstrap_high": drawn.high}
        ends |= {"t_low": student.low, "t_high": student.high}
    return {"mean": mean, "std": std, **ends, "n": len(finite)}


def curves(
    panels: Curves,
    column: str,
    *,
    name: str,
    title: str,
    x_label: str,
    y_label: str = "",
    log_x: bool = False,
    claims: Iterable[Claim] = (),
) -> Figure:
    """A quantity, under the name `column`, over a number that arms differ in, such as the iterative rate.

    Where several arms have one x, all their runs are drawn there, and the mean is over all of them.
    """
    rows = []
    for panel, by_series in panels.items():
        for series, places in by_series.items():
            for i, (x, value) in enumerate(places):
                earlier = [other for other, _ in places[:i]].count(x)
                line = value.map(lambda values, k=earlier: k * len(values) + np.arange(len(values)))
                labels = {"panel": panel, "series": series, "arm": value.label, "x": x}
                rows.append(Rows(labels, {"line": line, column: value}))
    return Figure(
        name,
        title,
        caption="Thin lines are replicates, the band is the 95 % bootstrap interval of their mean; where several arms "
        "have one x, of all their runs.",
        rows=rows,
        plot=Lines(
            "x",
            column,
            series="series",
            replicate="line",
            x_label=x_label,
            y_label=y_label or label(column),
            band="bootstrap",
            share_y=False,
            log_x=log_x,
        ),
        claims=tuple(claims),
    )


def optimum(x: Numbers, values: Numbers) -> Interval:
    """The x [P] at which the mean over replicates of values [P, R] is highest, the first of several.

    With the 95 % bootstrap interval: replicates are drawn with replacement, the same ones at every x, because arms of a
    seed share their initialization and the order of their batches.
    """

    def highest(seeds: Numbers) -> float:
        return float(x[values[:, seeds.astype(np.int64)].mean(axis=1).argmax()])

    replicates = np.arange(values.shape[1], dtype=np.float64)
    return statistics.bootstrap_interval(replicates, stream(0, "optimum"), statistic=highest, resamples=2000)


def optima(
    comparison: Comparison,
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, str]]]],
    *,
    name: str,
    title: str,
    x_label: str,
    claims: Iterable[Claim] = (),
) -> Figure:
    """The x of the highest mean accuracy of every curve, best and final, beside the accuracy of the first arm.

    panels: by panel and series, every x with the name of its arm.
    """
    baseline = comparison.arms[0].name

    def rows(panel: str, series: str, quantity: str, places: Sequence[tuple[float, str]]) -> Computed:
        x = np.array([place for place, _ in places])
        parts = [comparison.value(arm, quantity) for arm in (*(arm for _, arm in places), baseline)]

        def make(results: Results) -> Table:
            *values, plain = (part(results) for part in parts)
            best = optimum(x, np.array(values))
            row = {"x": best.estimate, "low": best.low, "high": best.high, "n": len(plain)}
            highest = float(np.mean(values, axis=1).max())
            return [{**row, "accuracy": highest, baseline: float(plain.mean())}]

        return Computed(nodes_of(parts), make, {"panel": f"{panel}: {label(quantity)}", "series": series})

    return Figure(
        name,
        title,
        caption="Of those that were run, with the 95 % bootstrap interval over replicates, which is too narrow for a "
        "few of them. The mean accuracy there and that without pruning are in the table.",
        rows=[
            rows(panel, series, quantity, places)
            for quantity in ("best", "final")
            for panel, by_series in panels.items()
            for series, places in by_series.items()
        ],
        plot=Intervals("series", "x", "low", "high", x_label=x_label),
        claims=tuple(claims),
    )


def by_layer(comparison: Comparison, measure: str, *, name: str, title: str) -> Figure:
    """The part of every parameter in a trace, in the order of the network."""

    def rows(arm: str) -> Computed:
        (readings,) = comparison.readings(arm, measure)

        def make(results: Results) -> Table:
            return [
                {"replicate": number, "parameter": part.removeprefix("trace.")}
                | {"place": float(place), "part": float(values[part])}
                for number, reading in enumerate(readings)
                if reading in results
                for values in [results[reading]]
                for place, part in enumerate(name for name in values if name.startswith("trace."))
            ]

        return Computed(readings, make, {"arm": arm})

    return Figure(
        name,
        title,
        caption="Parts of the trace by parameter, in the order of the network; their names are in the table.",
        rows=[rows(arm) for arm in comparison.by_name],
        plot=Lines(
            "place",
            "part",
            series="arm",
            x_label="parameter, in the order of the network",
            y_label=measure,
            band="bootstrap",
        ),
    )
