"""Figures of Jin et al. 2022 over any benchmark's arms.

Belongs here: what is drawn of the shared arms, once for all benchmarks. Does not belong here: which runs there are
(`arms.py`), what is asserted (`statements.py`), groups of examples (`subgroups.py`).
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from prunescope.base.errors import PrunescopeError
from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Arm, Benchmark, Point, available, noise_name
from prunescope.studies.curves import number
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines
from prunescope.studies.results import Results

LABELS: dict[Arm, str] = {
    "dense": "dense",
    "pruned": "pruned",
    "extended": "extended dense",
    "width": "width-scaled",
}


def error_figure(
    bench: Benchmark,
    *,
    arms: Sequence[Arm] = ("pruned", "extended", "width"),
    noises: Sequence[float] = (),
    over: Literal["weights_remaining", "epochs"] = "weights_remaining",
    within: float | None = None,
    name: str = "error",
    title: str = "Test error over sparsity",
) -> Figure:
    """Test error of some arms, one panel a noise level (Figs 1a, 3, 6, 7); no noises means all there are.

    over: the x coordinate; epochs are counted over all levels. within: only levels whose mean error is at most so many
    points above the least of the panel (App. F); by default all.
    """
    shown = [arm for arm in arms if arm in bench.arms]

    def table(results: Results) -> list[dict[str, object]]:
        best = _best_levels(bench, results)
        rows: list[dict[str, object]] = [
            {
                "panel": noise_name(p.noise),
                "arm": LABELS[p.arm],
                "replicate": p.replicate,
                "level": p.level,
                "weights_remaining": bench.remaining(results, p),
                "epochs": _epochs(results, p),
                "chosen": p.level == best.get((p.arm, p.noise)),
                "test_error": 100 * float(results[p.test]["error"]),
                "test_loss": float(results[p.test]["loss"]),
            }
            for p in available(results, bench.points)
            # An arm that is not run at a noise level has the dense network there, and no curve.
            if p.arm == "dense" or (p.arm in shown and bench.depth(p.arm, p.noise))
            if p.noise in (noises or bench.noises)
        ]
        return rows if within is None else _enlarged(rows, within)

    sparsity = over == "weights_remaining"
    return Figure(
        name,
        title,
        caption=_error_caption(shown),
        table=table,
        plot=Lines(
            over,
            "test_error",
            series="arm",
            x_label="weights remaining, %" if sparsity else "epochs of training in all",
            y_label="test error, %",
            log_x=sparsity,
            reverse_x=sparsity,
            share_y=False,
            references=(LABELS["dense"],),
            star="chosen",
        ),
        lineage={LABELS[arm]: _runs(bench, arm, noises or bench.noises) for arm in ("dense", *shown)},
    )


def _enlarged(rows: Sequence[dict[str, object]], within: float) -> list[dict[str, object]]:
    """The rows of levels whose mean test error is near the least of their panel."""
    errors: dict[tuple[object, object, object], list[float]] = {}
    for row in rows:
        errors.setdefault((row["panel"], row["arm"], row["level"]), []).append(number(row["test_error"]))
    means = {key: float(np.mean(values)) for key, values in errors.items()}
    least = {panel: min(m for key, m in means.items() if key[0] == panel) for panel, _, _ in means}
    near = {key for key, mean in means.items() if mean <= least[key[0]] + within}
    return [row for row in rows if (row["panel"], row["arm"], row["level"]) in near]


def _error_caption(shown: Sequence[Arm]) -> str:
    controls = {
        "extended": "extended dense training (the training alone, drawn at the weights remaining of the pruned network "
        "that has trained as long)",
        "width": "narrower dense networks (the size alone)",
    }
    beside = "".join(f", of {controls[arm]}" for arm in shown if arm in controls)
    return (
        "Test error of the dense network (dashed), of iterative magnitude pruning with learning-rate rewinding"
        f"{beside}. The star marks the optimum of a curve."
    )


def fit_figure(
    bench: Benchmark,
    noise: float,
    *,
    arms: Sequence[Arm] = ("pruned", "extended", "width"),
    name: str = "fit",
) -> Figure:
    """Mean training loss on original and on noisy examples against weights remaining, one panel an arm (Fig. 4)."""
    shown = [arm for arm in arms if arm in bench.arms]

    def table(results: Results) -> list[dict[str, object]]:
        best = _best_levels(bench, results)
        points = [p for p in available(results, bench.points) if p.noise == noise]
        rows = [
            _fit_row(bench, results, p, part) | {"chosen": p.level == best.get((p.arm, p.noise))}
            for p in points
            if p.arm in shown
            for part in ("original", "noisy")
        ]
        dense = [p for p in points if p.arm == "dense"]
        rows += [
            _fit_row(bench, results, p, part) | {"panel": LABELS[arm], "examples": f"{part}, dense"}
            for arm in shown
            for p in dense
            for part in ("original", "noisy")
        ]
        return rows

    return Figure(
        name,
        f"What is fitted: original and noisy examples at {noise_name(noise)}",
        caption=(
            "Mean training loss on the examples whose label is right (original) and on those whose label was "
            "flipped (noisy); dashed, of the dense network. The star marks the level of least test error. A network "
            "that generalizes despite noise gives the noisy examples up; the data hold its error on them against their "
            "labels before the flip."
        ),
        table=table,
        plot=Lines(
            "weights_remaining",
            "train_loss",
            series="examples",
            x_label="weights remaining, %",
            y_label="mean training loss, nats",
            log_x=True,
            reverse_x=True,
            references=("original, dense", "noisy, dense"),
            star="chosen",
        ),
        lineage={
            part: [run for arm in shown for run in _runs(bench, arm, (noise,))]
            for part in ("original", "noisy")
        },
    )


def _fit_row(bench: Benchmark, results: Results, point: Point, part: str) -> dict[str, object]:
    """What one network fits of the original or of the noisy examples."""
    return {
        "panel": LABELS[point.arm],
        "examples": part,
        "replicate": point.replicate,
        "level": point.level,
        "weights_remaining": bench.remaining(results, point),
        "train_loss": float(results[point.train][f"{part}_loss"]),
        **_true_error(results[point.train], part),
        "fitted": 100 * (1 - float(results[point.train][f"{part}_error"])),
    }


def _best_levels(bench: Benchmark, results: Results) -> dict[tuple[Arm, float], int]:
    """The optimum of each arm at each noise level, where all of its chain is there."""
    found: dict[tuple[Arm, float], int] = {}
    for arm in bench.arms:
        for noise in bench.noises_of(arm):
            if bench.depth(arm, noise):
                with contextlib.suppress(PrunescopeError):
                    found[arm, noise] = bench.best_level(results, arm, noise)
    return found


def _true_error(reading: Mapping[str, Any], part: str) -> dict[str, object]:
    """For noisy examples also the error against their labels before the flip, percent."""
    return {"true_error": 100 * float(reading["noisy_true_error"])} if part == "noisy" else {}


def epochs_figure(bench: Benchmark, *, noises: Sequence[float] = ()) -> Figure:
    """Test error after every epoch of the dense network: what early stopping alone would give.

    No noises means all there are.
    """

    def table(results: Results) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for noise in noises or bench.noises:
            there = [
                p for p in bench.row("dense", noise, 0) if p.curve in results and p.selecting_curve in results
            ]
            choosing = [np.asarray(results[p.selecting_curve]["error"]) for p in there]
            best = int(np.mean(choosing, axis=0).argmin()) if choosing else 0
            for p in there:
                trace = results[p.curve]
                rows += [
                    {
                        "noise": noise_name(noise),
                        "replicate": p.replicate,
                        "epoch": epoch,
                        "test_error": 100 * error,
                        "chosen": place == best,
                    }
                    for place, (epoch, error) in enumerate(
                        zip(trace["epoch"].tolist(), trace["error"].tolist(), strict=True)
                    )
                ]
        return rows

    return Figure(
        "epochs",
        "The dense network over its epochs",
        caption=(
            "Test error after every epoch of dense training. Where noisy labels are memorized late, stopping early "
            "recovers much of what pruning does: a control that belongs beside the paper's."
        ),
        table=table,
        plot=Lines(
            "epoch", "test_error", series="noise", x_label="epoch", y_label="test error, %", star="chosen"
        ),
        lineage={
            noise_name(noise): [p.recipe for p in bench.row("dense", noise, 0)]
            for noise in noises or bench.noises
        },
    )


def _epochs(results: Results, point: Point) -> float:
    """Epochs of training over all levels."""
    return float(results[point.recipe]["step"]) / point.recipe.clock().epoch_steps


def _runs(bench: Benchmark, arm: Arm, noises: Sequence[float]) -> list[Value]:
    return [point.recipe for point in bench.points if point.arm == arm and point.noise in noises]
