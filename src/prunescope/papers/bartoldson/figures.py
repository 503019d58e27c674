"""The kinds of figures that the two papers draw of any comparison.

Belongs here: rows and plots of accuracy over epochs, of quantities of every run, of arms side by side, over a number
that arms differ in, and of correlations. Does not belong here: what only one figure draws (its own file).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import numpy as np

import prunescope as ps
from prunescope.base.streams import stream
from prunescope.papers.bartoldson.claims import Claims
from prunescope.papers.bartoldson.comparison import Comparison
from prunescope.papers.bartoldson.paper import Figures
from prunescope.papers.bartoldson.quantities import STABILITIES, Split, label, over_epochs
from prunescope.studies import correlation, statistics
from prunescope.studies.correlation import Correlation, Points, Statistic, Unit
from prunescope.studies.results import Node
from prunescope.studies.statistics import Interval

Panels = Mapping[str, Comparison]
"""Comparisons by the title of their panel."""
Places = Sequence[tuple[float, Comparison, str]]
"""Of one curve: every x with a comparison and the name of its arm. Several arms may have one x."""
Curves = Mapping[str, Mapping[str, Places]]
"""By panel and series."""
RESAMPLES = 1000
"""Of arms and seeds, behind the interval of a correlation."""
TRADEOFF = tuple((x, y) for x in STABILITIES for y in ("best", "final"))
"""What the papers correlate, with statistics as they are and anew, and with the accuracy that is not selected."""


def dynamics(name: str, title: str, panels: Panels, claims: Claims = (), *, train: bool = False) -> ps.Figure:
    """Test accuracy after every epoch, after what happens there; a marker where something does.

    train: whether training accuracy, before what happens there, has panels too.
    """

    def rows(panel: str, runs: Comparison, arm: str, split: Split) -> ps.Rows:
        traces = [runs.observables.accuracy(run, split) for run in runs.recipes(arm)]
        after = "after" if split == "test" else "before"
        columns = {"epoch": "epoch", "before": "before", "event": "event", "accuracy": after}
        where = f"{panel}: {'training' if split == 'train' else split} accuracy" if train else panel
        values = {column: over_epochs(attrgetter(part), traces) for column, part in columns.items()}
        return ps.Rows({"panel": where, "arm": arm}, values)

    splits: tuple[Split, ...] = ("test", "train") if train else ("test",)
    return ps.Figure(
        name,
        title,
        caption="Test accuracy after every epoch, on the far side of pruning (column before: on the near "
        f"side){', and training accuracy on the near side' if train else ''}. Thin lines are runs, the band is the 95 "
        "% bootstrap interval of their mean, markers are epochs with an event. BatchNorm keeps its running statistics "
        "right after an event, as in the paper.",
        rows=[rows(panel, runs, arm, part) for panel, runs in panels.items() for part in splits for arm in runs.names],
        plot=over_runs("epoch", "accuracy", "epoch", f"{'' if train else 'test '}accuracy, %", marks="event"),
        claims=tuple(claims),
    )


def over_runs(x: str, y: str, x_label: str, y_label: str, **more: Any) -> ps.Lines:
    """A plot of curves: a thin line a run, and the bootstrap interval of the mean of every arm."""
    return replace(ps.Lines(x, y, series="arm", x_label=x_label, y_label=y_label, band="bootstrap"), **more)


def of_each(labels: Mapping[str, str], nodes: Sequence[Node], rows: Callable[[Any], Iterable[ps.Row]]) -> ps.Computed:
    """The rows of every run, as many as its result makes; a run without a result has none."""

    def make(results: ps.Results) -> ps.Table:
        read = ((number, results[node]) for number, node in enumerate(nodes) if node in results)
        return [{"replicate": number, **row} for number, result in read for row in rows(result)]

    return ps.Computed(nodes, make, labels)


def scatter(name: str, title: str, panels: Panels, x: str, y: str, claims: Claims = ()) -> ps.Figure:
    """Two quantities of every run, with Pearson's correlation over all of a panel's points."""

    def rows(panel: str, runs: Comparison) -> ps.Computed:
        def make(results: ps.Results) -> ps.Table:
            points = runs.points(results, x, y)
            r = correlation.pearson(points)
            note = f"r = {r.estimate:.2f}, p = {r.p:.2g}, n = {r.n}"
            return [
                {"arm": arm, "replicate": seed, x: float(u), y: float(v), "note": note}
                for u, v, arm, seed in zip(points.x, points.y, points.arm, points.seed, strict=True)
            ]

        return ps.Computed(runs.nodes(x, y), make, {"panel": panel})

    return ps.Figure(
        name,
        title,
        caption="One point a run. The line is a least-squares fit through all points. Points of an arm are not "
        "independent, so this p-value, which is the paper's kind, is too small; the figure of correlations has others.",
        rows=[rows(panel, runs) for panel, runs in panels.items()],
        plot=ps.Scatter(x, y, series="arm", x_label=label(x), y_label=label(y), note="note"),
        claims=tuple(claims),
    )


def correlations(
    name: str,
    title: str,
    panels: Panels,
    pairs: Iterable[tuple[str, str]] = TRADEOFF,
    claims: Claims = (),
    *,
    given: Sequence[str] = (),
) -> ps.Figure:
    """Correlations of pairs of quantities over runs, between arms and within arms, with intervals; a panel each pair.

    given: quantities, such as measures of flatness, each of which is held fixed in one more row: the mediators.
    """

    def rows(panel: str, runs: Comparison, x: str, y: str) -> ps.Computed:
        def make(results: ps.Results) -> ps.Table:
            table = list(_kinds(runs.points(results, x, y)))
            for mediator in given:
                points = runs.points(results, x, y, mediator)
                interval = _resampled(points, correlation.r_partial)
                table.append(_estimate(f"with {mediator} held fixed", correlation.partial(points), interval))
            return table

        return ps.Computed(runs.nodes(x, y, *given), make, {"panel": _panel(panel, f"{label(x)} and {label(y)}")})

    return ps.Figure(
        name,
        title,
        caption="Correlations over runs with their 95 % intervals: all runs as if independent (Fisher's interval, the "
        "paper's way), the same with arms and seeds resampled, Kendall's rank correlation, arms' means only, and "
        "within arms only, and the partial correlation where something is held fixed. The p-values are in the table.",
        rows=[rows(panel, runs, x, y) for panel, runs in panels.items() for x, y in pairs if runs.measures(x, y)],
        plot=ps.Intervals("kind", "estimate", "low", "high", x_label="correlation", zero=True),
        claims=tuple(claims),
    )


def _panel(panel: str, what: str) -> str:
    return f"{panel}: {what}" if panel else what


def _kinds(points: Points) -> Iterator[ps.Row]:
    r, between = correlation.pearson(points), correlation.between_arms(points)
    tau, within = correlation.kendall(points), correlation.within_arms(points)
    yield _estimate("Pearson, all runs", r, correlation.fisher_interval(r))
    yield _estimate("Pearson, arms and seeds resampled", r, _resampled(points, correlation.r))
    yield _estimate("Kendall, arms and seeds resampled", tau, _resampled(points, correlation.tau))
    yield _estimate("Pearson, between arms", between, correlation.fisher_interval(between))
    yield _estimate("Pearson, within arms", within, _resampled(points, correlation.r_within, unit="seed"))


def _resampled(points: Points, statistic: Statistic, *, unit: Unit = "arm and seed") -> Interval:
    return correlation.bootstrap(points, statistic, stream(0, "correlation"), unit=unit, resamples=RESAMPLES)


def _estimate(kind: str, r: Correlation, interval: Interval) -> ps.Row:
    return {"kind": kind, "estimate": r.estimate, "low": interval.low, "high": interval.high, "p": r.p, "n": r.n}


def means(name: str, title: str, panels: Panels, quantities: Sequence[str], claims: Claims = ()) -> ps.Figure:
    """The mean of each quantity in every arm with its 95 % bootstrap interval: the papers' tables.

    The table has Student's interval and the standard deviation too. Beside what events cost stands the same with
    BatchNorm statistics estimated anew, wherever it is measured.
    """

    def row(panel: str, quantity: str, value: ps.Quantity) -> ps.Computed:
        labels = {"panel": _panel(panel, label(quantity)), "arm": value.label}
        return ps.Computed(value.nodes, lambda results: [_mean(value(results))], labels)

    return ps.Figure(
        name,
        title,
        caption="Means over runs with their 95 % bootstrap intervals, as in the papers; they are too narrow for fewer "
        "than about ten runs. t-intervals and standard deviations are in the table.",
        rows=[
            row(panel, quantity, runs.value(arm, quantity))
            for panel, runs in panels.items()
            for quantity in runs.with_recalibrated(quantities)
            for arm in runs.names
        ],
        plot=ps.Intervals("arm", "mean", "bootstrap_low", "bootstrap_high", x_label="mean over runs"),
        claims=tuple(claims),
    )


def _mean(values: ps.Numbers) -> ps.Row:
    """Mean, standard deviation and intervals of what is finite; the bootstrap is that of the bands of curves."""
    finite = values[np.isfinite(values)]
    drawn = student = Interval(np.nan, np.nan, np.nan, 0.95)
    if len(finite) > 1:
        drawn = statistics.bootstrap_interval(finite, stream(0, "band"), resamples=500)
        student = statistics.t_interval(finite)
    return {
        "mean": float(finite.mean()) if len(finite) else np.nan,
        "std": float(finite.std(ddof=1)) if len(finite) > 1 else np.nan,
        "bootstrap_low": drawn.low,
        "bootstrap_high": drawn.high,
        "t_low": student.low,
        "t_high": student.high,
        "n": len(finite),
    }


def curves(
    name: str,
    title: str,
    panels: Curves,
    quantity: str,
    claims: Claims = (),
    *,
    value: Callable[[Comparison, str], ps.Quantity] | None = None,
    **axis: Any,
) -> ps.Figure:
    """A quantity over a number that arms differ in, such as the iterative rate.

    Where several arms have one x, all their runs are drawn there, and the mean is over all of them.

    value: the quantity of an arm, made otherwise.
    axis: of `Lines`, x_label and more.
    """

    def row(panel: str, series: str, places: Places, number: int) -> ps.Rows:
        x, runs, arm = places[number]
        drawn = value(runs, arm) if value else runs.value(arm, quantity)
        earlier = [other for other, *_ in places[:number]].count(x)
        line = drawn.map(lambda values: earlier * len(values) + np.arange(len(values)))
        return ps.Rows({"panel": panel, "series": series, "arm": arm, "x": x}, {"line": line, quantity: drawn})

    flat = [(panel, *curve) for panel, by_series in panels.items() for curve in by_series.items()]
    lines: dict[str, Any] = {"y_label": label(quantity), "series": "series", "replicate": "line", "share_y": False}
    return ps.Figure(
        name,
        title,
        caption="Thin lines are replicates, the band is the 95 % bootstrap interval of their mean; where several arms "
        "have one x, of all their runs.",
        rows=[row(panel, series, places, number) for panel, series, places in flat for number in range(len(places))],
        plot=over_runs("x", quantity, **lines | axis),
        claims=tuple(claims),
    )


def each_curves(
    tag: str, titles: Mapping[str, str], panels: Curves, claims: Mapping[str, Claims], **axis: Any
) -> Figures:
    """Such a figure of each of several quantities, called "TAG-QUANTITY". titles, claims: by the quantity."""
    for quantity, title in titles.items():
        name, shown = f"{tag}-{quantity.replace('_', '-')}", claims.get(quantity, ())
        yield curves(name, title, panels, quantity, shown, **axis)


def optimum(x: ps.Numbers, values: ps.Numbers) -> Interval:
    """The x [P] at which the mean over replicates of values [P, R] is highest, the first of several.

    With the 95 % bootstrap interval: replicates are drawn with replacement, the same ones at every x, because arms of a
    seed share their initialization and the order of their batches.
    """

    def highest(seeds: ps.Numbers) -> ps.Numbers:
        return np.asarray(x[values[:, seeds.astype(np.int64)].mean(axis=2).argmax(axis=0)])

    replicates = np.arange(values.shape[1], dtype=np.float64)
    return statistics.bootstrap_interval(replicates, stream(0, "optimum"), statistic=highest, resamples=2000)


def optima(name: str, title: str, panels: Curves, *, x_label: str, baseline: str) -> ps.Figure:
    """The x of the highest mean accuracy of every curve, best and final, beside the accuracy of the baseline."""

    def rows(panel: str, series: str, quantity: str, places: Places) -> ps.Computed:
        x = np.array([number for number, _, _ in places])
        parts = [runs.value(arm, quantity) for _, runs, arm in (*places, (0.0, places[0][1], baseline))]

        def make(results: ps.Results) -> ps.Table:
            *values, plain = (part(results) for part in parts)
            best, highest = optimum(x, np.array(values)), float(np.mean(values, axis=1).max())
            row = {"x": best.estimate, "low": best.low, "high": best.high, "accuracy": highest}
            return [{**row, baseline: float(plain.mean()), "n": len(plain)}]

        return ps.Computed(ps.nodes_of(parts), make, {"panel": _panel(panel, label(quantity)), "series": series})

    return ps.Figure(
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
        plot=ps.Intervals("series", "x", "low", "high", x_label=x_label),
    )
