"""yang2023/dynamics: how signal and noise grow during training, at several keep probabilities."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from pydantic import Field

from prunescope.base.value import Value
from prunescope.measures import Risk, SignalAndNoise
from prunescope.papers.yang2023.setting import NOTES, PAPER, Keep, Setting
from prunescope.papers.yang2023.sweep import Point, Sweep
from prunescope.runs.graph.measure_probe import Watch
from prunescope.runs.graph.nodes import Trace
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Row
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

TraceOf = Callable[[Point], Trace]
QUANTITIES = {
    "signal_mean": "signal, mean over classes",
    "signal_min": "signal, worst class",
    "noise_mean": "noise memorized",
}


class Settings(Value):
    """What is followed. keeps: one panel each; mild: where signal should win the race, against the dense network."""

    setting: Setting = Setting()
    keeps: tuple[Keep, ...] = Field(default=(1.0, 0.2, 0.02), min_length=1)
    mild: Keep = 0.2
    replicates: int = Field(default=10, ge=1)


SCALES = {
    "smoke": Settings(
        setting=Setting(
            dimension=60, examples=20, tests=100, width=8, noise=0.4, deviation=0.1, most_steps=200
        ),
        keeps=(1.0, 0.2),
        replicates=2,
    ),
    "laptop": Settings(),
    "paper": Settings(replicates=20),
}


def features(point: Point) -> Trace:
    """Signal and noise of one run, at logarithmically spaced steps."""
    return Trace(probe=Watch(measure=SignalAndNoise(signal=point.setting.signal)), run=point.recipe)


def risk(point: Point) -> Trace:
    """Test error and loss of one run, at the same steps."""
    return Trace(probe=Watch(measure=Risk(split="test")), run=point.recipe)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    sweep = Sweep(
        settings.setting, tuple(dict.fromkeys((1.0, settings.mild, *settings.keeps))), settings.replicates
    )
    shown = [point for keep in settings.keeps for point in sweep.row(keep)]
    traces = [trace for point in sweep.points for trace in (features(point), risk(point))]
    return Study(
        "yang2023/dynamics",
        "How do signal and noise grow while a pruned network trains?",
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates",
        paper=PAPER,
        nodes=[*traces, *(point.train for point in sweep.points)],
        figures=(feature_figure(shown), risk_figure(shown)),
        claims=(signal_leads(sweep, settings.mild), noise_leads(sweep)),
        notes=NOTES,
    )


def feature_figure(points: Iterable[Point]) -> Figure:
    """Signal and noise over the steps, one panel a keep probability."""
    points = list(points)
    return Figure(
        "features",
        "Signal learned and noise memorized during training",
        caption="Largest products of the neurons of a class with its signal, and with the noise patches of its "
        "training examples. A run that has reached its target loss stays where it stopped. Medians over replicates "
        "and their middle half.",
        table=lambda results: _rows(results, points, features, QUANTITIES),
        plot=_plot("product of weights and patch"),
        lineage=_lineage(points),
    )


def risk_figure(points: Iterable[Point]) -> Figure:
    """Test loss over the steps, one panel a keep probability."""
    points = list(points)
    return Figure(
        "loss",
        "Test loss during training",
        caption="The same runs: mean loss on the test set. Medians over replicates and their middle half.",
        table=lambda results: _rows(results, points, risk, {"loss": "test loss"}),
        plot=_plot("loss, nats", log_y=True),
        lineage=_lineage(points),
    )


def signal_leads(sweep: Sweep, mild: float) -> Claim:
    """After mild pruning, training ends with more signal than noise."""
    return Claim(
        "signal-leads",
        f"At the end of training, a network that keeps {100 * mild:g} % of its weights has learned more signal than it "
        "has memorized noise.",
        basis="recalled",
        place="Yang et al. 2023, analysis of mild pruning (recalled)",
        region=Direction("greater"),
        sample=lambda r: _lead(r, sweep, mild),
        preconditions=(sweep.are_trained(mild),),
        unit="product of weights and patch, signal minus noise",
    )


def noise_leads(sweep: Sweep) -> Claim:
    """In the noisy setting, the dense network ends with more noise than signal."""
    return Claim(
        "noise-leads",
        "At the end of training, the dense network has memorized more noise than it has learned signal.",
        basis="proposed",
        place="the signal race: without pruning, memorization wins",
        region=Direction("less"),
        sample=lambda r: _lead(r, sweep, 1.0),
        preconditions=(sweep.are_trained(1.0),),
        unit="product of weights and patch, signal minus noise",
    )


def _lead(results: Results, sweep: Sweep, keep: float) -> Numbers:
    row, trained = sweep.row(keep), sweep.trained(results, keep)
    traces = [results[features(row[number])] for number in trained]
    return np.array(
        [trace["signal_mean"][-1] - trace["noise_mean"][-1] for trace in traces], dtype=np.float64
    )


def _rows(results: Results, points: list[Point], trace_of: TraceOf, names: Mapping[str, str]) -> list[Row]:
    """One row a quantity and step, on the steps that some run of the panel was looked at before it ended."""
    rows: list[Row] = []
    for keep in dict.fromkeys(point.keep for point in points):
        traces = {
            p.replicate: results[trace_of(p)] for p in points if p.keep == keep and trace_of(p) in results
        }
        if not traces:
            continue
        grid = sorted({int(step) for trace in traces.values() for step in trace["local"][:-1] if step > 0})
        rows += [
            {
                "panel": f"{100 * keep:g} % of the weights kept",
                "quantity": label,
                "replicate": number,
                "step": step,
                "value": float(trace[name][np.searchsorted(trace["local"], step, side="right") - 1]),
            }
            for number, trace in traces.items()
            for name, label in names.items()
            for step in grid
        ]
    return rows


def _plot(y_label: str, *, log_y: bool = False) -> Lines:
    return Lines(
        "step",
        "value",
        series="quantity",
        x_label="step of gradient descent",
        y_label=y_label,
        log_x=True,
        log_y=log_y,
        centre="median",
        band="quartiles",
    )


def _lineage(points: list[Point]) -> dict[str, list[Recipe]]:
    return {
        f"{100 * keep:g} % kept": [point.recipe for point in points if point.keep == keep]
        for keep in dict.fromkeys(point.keep for point in points)
    }
