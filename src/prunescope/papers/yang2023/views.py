"""Figures over the keep probability, for any sweeps side by side; the lineage of all is told beside the first.

Belongs here: what is drawn, once for all studies of this folder. Does not belong here: claims (the studies), which
runs there are (`sweep.py`).
"""

from collections.abc import Callable, Mapping

import numpy as np

from prunescope.papers.yang2023.sweep import Point, Sweep, available, ended, is_trained, trained_or_nan
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Row
from prunescope.studies.results import Results

Sweeps = Mapping[str, Sweep]
"""Sweeps by the title of their panel."""
KEPT = "weights kept at initialization, %"
GUESSING = "guessing"


def error_figure(sweeps: Sweeps) -> Figure:
    """Training and test error over the keep probability."""

    def series(results: Results, point: Point) -> dict[str, float]:
        return {
            "test error": 100 * float(results[point.test]["error"]),
            "training error": 100 * float(results[point.train]["error"]),
            GUESSING: 100 * point.setting.chance,
        }

    return Figure(
        "error",
        "Training and test error over the keep probability",
        caption="Error on the training and the test set after random pruning at initialization and training to the "
        "target loss. Medians over replicates, which differ in data, initial weights and mask; the band holds the "
        "middle half, thin lines are replicates. Runs that miss the target loss are left out.",
        table=lambda results: _rows(results, sweeps, series),
        plot=_lines("error, %", references=(GUESSING,)),
        lineage=_lineage(sweeps),
    )


def loss_figure(sweeps: Sweeps) -> Figure:
    """Training and test loss over the keep probability."""

    def series(results: Results, point: Point) -> dict[str, float]:
        return {
            "test loss": float(results[point.test]["loss"]),
            "training loss": float(results[point.train]["loss"]),
            GUESSING: float(np.log(point.setting.classes)),
        }

    return Figure(
        "loss",
        "Training and test loss over the keep probability",
        caption="Every run stops at the same training loss, so all that differs is what it learned to get there. A "
        "test loss above that of guessing (log K, dashed) is confidently wrong. Medians and middle halves.",
        table=lambda results: _rows(results, sweeps, series),
        plot=_lines("loss, nats", references=(GUESSING,), log_y=True),
    )


def feature_figure(sweeps: Sweeps) -> Figure:
    """Signal learned and noise memorized over the keep probability."""

    def series(results: Results, point: Point) -> dict[str, float]:
        features = results[point.features]
        return {
            "signal, mean over classes": float(features["signal_mean"]),
            "signal, worst class": float(features["signal_min"]),
            "noise memorized": float(features["noise_mean"]),
        }

    return Figure(
        "features",
        "What is learned: signal and noise",
        caption="Signal learned: the largest product of a class's neurons with the signal of the class. Noise "
        "memorized: the largest product of a class's neurons with the noise patch of a training example, mean over "
        "the examples. Medians and middle halves.",
        table=lambda results: _rows(results, sweeps, series),
        plot=_lines("product of weights and patch"),
    )


def fate_figure(sweeps: Sweeps) -> Figure:
    """Shares of dead classes, counted and predicted, and of runs that miss the target loss."""

    def table(results: Results) -> list[Row]:
        rows: list[Row] = []
        for panel, sweep in sweeps.items():
            for keep in sweep.keeps:
                shares = _fates(results, sweep.row(keep))
                rows += [
                    {"panel": panel, "quantity": name, "keep": 100 * keep, "value": 100 * share}
                    for name, share in shares.items()
                ]
        return rows

    return Figure(
        "fate",
        "Dead classes and runs that do not train",
        caption="A class is dead if pruning leaves it no neuron that sees its signal with a positive weight: it can "
        "only memorize. Counted over replicates, and predicted by (1 - p / 2)^m for a sparse signal. Below, runs that "
        "reach their step limit before the target loss, or diverge.",
        table=table,
        plot=_lines("share, %"),
    )


def _fates(results: Results, row: list[Point]) -> dict[str, float]:
    """Shares over the replicates at one keep probability; those that are unknown are left out."""
    setting, keep = row[0].setting, row[0].keep
    dead = [float(results[p.neurons]["dead"]) / setting.classes for p in available(results, row, "neurons")]
    missed = [float(not is_trained(results, point)) for point in ended(results, row)]
    shares = {"dead classes": dead, "runs not trained": missed}
    found = {name: float(np.mean(share)) for name, share in shares.items() if share}
    return found | {"dead classes, predicted": setting.death(keep)}


def _rows(
    results: Results, sweeps: Sweeps, series: Callable[[Results, Point], dict[str, float]]
) -> list[Row]:
    """One row a series and run; what depends on training is NaN for a run that missed its target."""
    return [
        {
            "panel": panel,
            "quantity": name,
            "keep": 100 * point.keep,
            "replicate": point.replicate,
            "trained": is_trained(results, point),
            "value": value if name == GUESSING else trained_or_nan(results, point, value),
        }
        for panel, sweep in sweeps.items()
        for point in available(results, sweep.points, "features")
        for name, value in series(results, point).items()
    ]


def _lines(y_label: str, *, references: tuple[str, ...] = (), log_y: bool = False) -> Lines:
    return Lines(
        "keep",
        "value",
        series="quantity",
        x_label=KEPT,
        y_label=y_label,
        log_x=True,
        log_y=log_y,
        reverse_x=True,
        centre="median",
        band="quartiles",
        references=references,
    )


def _lineage(sweeps: Sweeps) -> dict[str, list[Recipe]]:
    """The runs of every point, by panel and keep probability."""
    return {
        f"{panel}, {100 * keep:g} % kept": [point.recipe for point in sweep.row(keep)]
        for panel, sweep in sweeps.items()
        for keep in sweep.keeps
    }
