"""Figures over any comparison of arms.

Belongs here: what is drawn of accuracy over epochs, of two quantities of every run, of arms side by side, and of
correlations. Does not belong here: curves over other numbers than epochs (`curves.py`), which runs there are
(`arms.py`), what is asserted (`statements.py`).
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.base.streams import stream
from prunescope.base.value import Value
from prunescope.papers.bartoldson.arms import RECALIBRATED, Comparison
from prunescope.studies import correlation, statistics
from prunescope.studies.correlation import Correlation, Points, Statistic, Unit
from prunescope.studies.events import SOON, epochs
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Intervals, Lines, Scatter, Table
from prunescope.studies.results import Numbers, Results

Panels = Mapping[str, Comparison]
"""Comparisons by the title of their panel."""
Pairs = Sequence[tuple[str, str]]
"""Quantities x and y."""
ANEW = "with BatchNorm statistics estimated anew"
LABELS: Mapping[str, str] = {
    "mean_stability": "mean stability, %",
    "recalibrated_stability": f"mean stability {ANEW}, %",
    "recalibrated_drop": f"mean drop {ANEW}, percentage points",
    "recalibrated_positive_drop": f"mean drop over events that cost accuracy {ANEW}, percentage points",
    "recalibrated_worst_drop": f"largest drop of an event {ANEW}, percentage points",
    "recalibrated_last_drop": f"drop at the last event against just before it {ANEW}, percentage points",
    "mean_drop": "mean drop in test accuracy, percentage points",
    "mean_positive_drop": "mean drop over events that cost accuracy, percentage points",
    "worst_drop": "largest drop of an event, percentage points",
    "last_drop": "drop at the last event, percentage points",
    "best": "best test accuracy after the last event, %",
    "final": "test accuracy after the last epoch, %",
    "test": "test accuracy at the end, whole test set, %",
    "train": "training accuracy at the end, %",
    "train_at_best": "training accuracy at the best epoch, %",
    "train_at_moment": "training accuracy where flatness is measured, %",
    "gap": "generalization gap at the best epoch, percentage points",
    "final_gap": "generalization gap after the last epoch, percentage points",
    "end_gap": "generalization gap at the end, percentage points",
    "recovery": "epochs until accuracy is back, events without recovery left out",
    "recovered": "events after which accuracy comes back, %",
    "recovered_soon": f"events after which accuracy is back within {SOON} epochs, %",
    "own": "parameters of removed filters, % of all",
    "structural": "parameters that the smaller network lacks, % of all",
    "rate": "largest iterative rate, %",
}
"""Axis labels of quantities; a measure is called by its own name."""
RESAMPLES = 1000


def label(quantity: str) -> str:
    """The axis label of a quantity."""
    return LABELS.get(quantity, quantity)


def dynamics(
    panels: Panels, *, name: str, title: str, arms: Sequence[str] = (), train: bool = False
) -> Figure:
    """Test accuracy after every epoch, after what happens there; a marker where something does.

    No arms named means all. train: whether training accuracy, before what happens there, has panels too.
    """

    def table(results: Results) -> Table:
        return [
            {
                "panel": f"{panel}: {split} accuracy" if train else panel,
                "arm": one.name,
                "replicate": number,
                "epoch": float(seen.epoch[i]),
                "before": float(seen.before[i]),
                "accuracy": float((seen.after if split == "test" else seen.before)[i]),
                "event": bool(seen.event[i]),
            }
            for panel, comparison in panels.items()
            for split in ("test", "training")[: 1 + train]
            for one in comparison.arms
            if one.name in (arms or comparison.by_name)
            for number, run in enumerate(one.runs)
            for trace in [comparison.test(run) if split == "test" else comparison.train(run)]
            if trace in results
            for seen in [epochs(results[trace])]
            for i in range(len(seen.epoch))
        ]

    return Figure(
        name,
        title,
        caption="Test accuracy after every epoch, on the far side of pruning (column before: on the near side)"
        f"{', and training accuracy on the near side' if train else ''}. Thin "
        "lines are runs, the band is the 95 % bootstrap interval of their mean, markers are epochs with an event. "
        "BatchNorm keeps its running statistics right after an event, as in the paper.",
        table=table,
        plot=Lines(
            "epoch",
            "accuracy",
            series="arm",
            x_label="epoch",
            y_label="accuracy, %" if train else "test accuracy, %",
            band="bootstrap",
            marks="event",
        ),
        lineage=lineage(panels),
    )


def scatter(panels: Panels, x: str, y: str, *, name: str, title: str, arms: Sequence[str] = ()) -> Figure:
    """Two quantities of every run, with Pearson's correlation over all of a panel's points."""

    def table(results: Results) -> Table:
        rows = []
        for panel, comparison in panels.items():
            points = comparison.points(results, x, y, arms=arms)
            found = correlation.pearson(points)
            note = f"r = {found.estimate:.2f}, p = {found.p:.2g}, n = {found.n}"
            rows += [
                {"panel": panel, "arm": a, "replicate": s, x: float(u), y: float(v), "note": note}
                for u, v, a, s in zip(points.x, points.y, points.arm, points.seed, strict=True)
            ]
        return rows

    return Figure(
        name,
        title,
        caption="One point a run. The line is a least-squares fit through all points. Points of an arm are not "
        "independent, so this p-value, which is the paper's kind, is too small; the figure of correlations has others.",
        table=table,
        plot=Scatter(x, y, series="arm", x_label=label(x), y_label=label(y), note="note"),
        lineage=lineage(panels, arms),
    )


def correlations(
    panels: Panels,
    pairs: Pairs,
    *,
    name: str,
    title: str,
    given: Sequence[str] = (),
    arms: Sequence[str] = (),
) -> Figure:
    """Correlations of pairs of quantities over runs, between arms and within arms, with intervals; a panel each pair.

    given: quantities, such as measures of flatness, each of which is held fixed in one more row: the mediators.
    """

    def table(results: Results) -> Table:
        rows: list[dict[str, object]] = []
        for panel, comparison in panels.items():
            for x, y in (pair for pair in pairs if comparison.looks_at(*pair)):
                points = comparison.points(results, x, y, arms=arms)
                where = f"{panel}: {label(x)} and {label(y)}" if panel else f"{label(x)} and {label(y)}"
                for kind, found, low, high in _rows(points):
                    rows.append(_row(where, kind, found, low, high))
                for mediator in given:
                    fixed = comparison.points(results, x, y, arms=arms, given=(mediator,))
                    found, low, high = _resampled(fixed, correlation.r_partial, correlation.partial(fixed))
                    rows.append(_row(where, f"with {mediator} held fixed", found, low, high))
        return rows

    return Figure(
        name,
        title,
        caption="Correlations over runs with their 95 % intervals: all runs as if independent (Fisher's interval, the "
        "paper's way), the same with arms and seeds resampled, Kendall's rank correlation, arms' means only, and "
        "within arms only, and the partial correlation where something is held fixed. The p-values are in the table.",
        table=table,
        plot=Intervals("kind", "estimate", "low", "high", x_label="correlation", zero=True),
        lineage=lineage(panels, arms),
    )


def _rows(points: Points) -> Iterator[tuple[str, Correlation, float, float]]:
    r, between = correlation.pearson(points), correlation.between_arms(points)
    fisher, ends = correlation.fisher_interval(r), correlation.fisher_interval(between)
    yield "Pearson, all runs", r, fisher.low, fisher.high
    yield "Pearson, arms and seeds resampled", *_resampled(points, correlation.r, r)
    yield (
        "Kendall, arms and seeds resampled",
        *_resampled(points, correlation.tau, correlation.kendall(points)),
    )
    yield "Pearson, between arms", between, ends.low, ends.high
    within = correlation.within_arms(points)
    yield "Pearson, within arms", *_resampled(points, correlation.r_within, within, unit="seed")


def _resampled(
    points: Points, of: Statistic, found: Correlation, *, unit: Unit = "arm and seed"
) -> tuple[Correlation, float, float]:
    """A correlation and the ends of its interval."""
    interval = correlation.bootstrap(points, of, stream(0, "correlation"), unit=unit, resamples=RESAMPLES)
    return found, interval.low, interval.high


def _row(panel: str, kind: str, found: Correlation, low: float, high: float) -> dict[str, object]:
    return {
        "panel": panel,
        "kind": kind,
        "estimate": found.estimate,
        "low": low,
        "high": high,
        "p": found.p,
        "n": found.n,
    }


def means(panels: Panels, quantities: Sequence[str], *, name: str, title: str) -> Figure:
    """The mean of each quantity in every arm with its 95 % bootstrap interval: the papers' tables.

    The table has Student's interval and the standard deviation too.
    Beside what events cost stands the same with BatchNorm statistics estimated anew, wherever runs were looked at so.
    """

    def table(results: Results) -> Table:
        return [
            {
                "panel": f"{panel}: {label(quantity)}" if panel else label(quantity),
                "arm": arm,
                **_mean(values),
            }
            for panel, comparison in panels.items()
            for quantity in with_recalibrated(quantities, comparison)
            for arm in comparison.by_name
            for values in [comparison.values(results, arm, quantity)]
        ]

    return Figure(
        name,
        title,
        caption="Means over runs with their 95 % bootstrap intervals, as in the papers; they are too narrow for fewer "
        "than about ten runs. t-intervals and standard deviations are in the table.",
        table=table,
        plot=Intervals("arm", "mean", "bootstrap_low", "bootstrap_high", x_label="mean over runs"),
        lineage=lineage(panels),
    )


def with_recalibrated(quantities: Sequence[str], comparison: Comparison) -> Iterator[str]:
    """These quantities, each followed by what it is with BatchNorm statistics estimated anew, if that was looked at."""
    anew = {stale: name for name, stale in RECALIBRATED.items()} if comparison.look.recalibration else {}
    for quantity in quantities:
        yield quantity
        if quantity in anew and anew[quantity] not in quantities:
            yield anew[quantity]


def _mean(values: Numbers) -> dict[str, object]:
    """Mean, standard deviation and intervals of what is finite; the bootstrap is that of the bands of curves."""
    there = values[np.isfinite(values)]
    mean, std = (float(there.mean()) if len(there) else np.nan), np.nan
    ends = dict.fromkeys(("bootstrap_low", "bootstrap_high", "t_low", "t_high"), np.nan)
    if len(there) > 1:
        std = float(there.std(ddof=1))
        drawn = statistics.bootstrap_interval(there, stream(0, "band"), resamples=500)
        student = statistics.t_interval(there)
        ends = {"bootstrap_low": drawn.low, "bootstrap_high": drawn.high}
        ends |= {"t_low": student.low, "t_high": student.high}
    return {"mean": mean, "std": std, **ends, "n": len(there)}


def lineage(panels: Panels, arms: Sequence[str] = ()) -> dict[str, list[Value]]:
    """The runs behind each curve. Raises UsageError for arms that no comparison has."""
    known = {name for comparison in panels.values() for name in comparison.by_name}
    if unknown := set(arms) - known:
        raise UsageError(f"there are no arms {sorted(unknown)}; there are {sorted(known)}")
    found: dict[str, list[Value]] = {}
    for comparison in panels.values():
        for one in comparison.arms:
            if one.name in (arms or known):
                found.setdefault(one.name, []).extend(one.runs)
    return found
