"""Figures of Jin et al. 2022 over any benchmark's arms.

Belongs here: what is drawn of the shared arms, once for all benchmarks. Does not belong here: which runs there are
(`arms.py`), what is asserted (`statements.py`), groups of examples (`subgroups.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Arm, Benchmark, Point, available, noise_name
from prunescope.studies.figure import Figure, Lines
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
    name: str = "error",
    title: str = "Test error over sparsity",
) -> Figure:
    """Test error of some arms, one panel a noise level (Figs 1a, 3, 6, 7); no noises means all there are.

    over: the x coordinate; epochs are counted over all levels.
    """
    shown = [arm for arm in arms if arm in bench.arms]

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": noise_name(p.noise),
                "arm": LABELS[p.arm],
                "replicate": p.replicate,
                "level": p.level,
                "weights_remaining": bench.remaining(results, p),
                "epochs": _epochs(results, p),
                "test_error": 100 * float(results[p.test]["error"]),
                "test_loss": float(results[p.test]["loss"]),
            }
            for p in available(results, bench.points)
            if p.arm in ("dense", *shown) and p.noise in (noises or bench.noises)
        ]

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
            star="lowest",
        ),
        lineage={LABELS[arm]: _runs(bench, arm, noises or bench.noises) for arm in ("dense", *shown)},
    )


def _error_caption(shown: Sequence[Arm]) -> str:
    controls = {
        "extended": "extended dense training (the training alone, drawn at the weights remaining of the pruned network "
        "that has trained as long)",
        "width": "narrower dense networks (the size alone)",
    }
    beside = "".join(f", of {controls[arm]}" for arm in shown if arm in controls)
    return (
        "Test error of the dense network (dashed), of iterative magnitude pruning with learning-rate rewinding"
        f"{beside}. The star marks the least mean error of a curve."
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
        return [
            {
                "panel": LABELS[p.arm],
                "examples": part,
                "replicate": p.replicate,
                "level": p.level,
                "weights_remaining": bench.remaining(results, p),
                "train_loss": float(results[p.train][f"{part}_loss"]),
                **_true_error(results[p.train], part),
                "fitted": 100 * (1 - float(results[p.train][f"{part}_error"])),
            }
            for p in available(results, bench.points)
            if p.noise == noise and p.arm in shown
            for part in ("original", "noisy")
        ]

    return Figure(
        name,
        f"What is fitted: original and noisy examples at {noise_name(noise)}",
        caption=(
            "Mean training loss on the examples whose label is right (original) and on those whose label was "
            "flipped (noisy). A network that generalizes despite noise gives the noisy examples up."
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
        ),
        lineage={
            part: [run for arm in shown for run in _runs(bench, arm, (noise,))]
            for part in ("original", "noisy")
        },
    )


def _true_error(reading: Mapping[str, Any], part: str) -> dict[str, object]:
    """For noisy examples also the error against their labels before the flip, percent."""
    return {"true_error": 100 * float(reading["noisy_true_error"])} if part == "noisy" else {}


def epochs_figure(bench: Benchmark, *, noises: Sequence[float] = ()) -> Figure:
    """Test error after every epoch of the dense network: what early stopping alone would give.

    No noises means all there are.
    """

    def table(results: Results) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for p in bench.points:
            if p.arm == "dense" and p.noise in (noises or bench.noises) and p.curve in results:
                trace = results[p.curve]
                rows += [
                    {
                        "noise": noise_name(p.noise),
                        "replicate": p.replicate,
                        "epoch": epoch,
                        "test_error": 100 * error,
                    }
                    for epoch, error in zip(trace["epoch"].tolist(), trace["error"].tolist(), strict=True)
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
            "epoch", "test_error", series="noise", x_label="epoch", y_label="test error, %", star="lowest"
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
