"""Figures of Jin et al. 2022 over any benchmark's arms.

Belongs here: what is drawn of the shared arms, once for all benchmarks. Does not belong here: groups of examples
(`subgroups.py`), classes (`classes.py`), claims.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022 import quantities
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark, noise_name
from prunescope.papers.jin2022.quantities import is_best, is_best_epoch, over_levels, remaining, train
from prunescope.studies.curves import number

OVER_SPARSITY: Mapping[str, Any] = {"x_label": "weights remaining, %", "log_x": True, "reverse_x": True}
CONTROLS: Mapping[Arm, str] = {
    "extended": "extended dense training (the training alone, drawn at the weights remaining of the pruned network "
    "that has trained as long)",
    "width": "narrower dense networks (the size alone)",
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
    claims: Sequence[ps.Claim] = (),
) -> ps.Figure:
    """Test error of some arms, one panel a noise level (Figs 1a, 3, 6, 7); no noises means all there are.

    over: the x coordinate; epochs are counted over all levels. within: only levels whose mean error is at most so many
    points above the least of the panel (App. F); by default all.
    """
    shown = [arm for arm in arms if bench.noises_of(arm)]
    rows: list[ps.Rows | ps.Computed] = []
    for noise in noises or bench.noises:
        run = ["dense", *(arm for arm in shown if bench.depth(arm, noise))]
        panel = [_errors(bench, arm, noise) for arm in run]
        rows += panel if within is None else [_enlarged(part, panel, within) for part in panel]
    beside = "".join(f", of {CONTROLS[arm]}" for arm in shown if arm in CONTROLS)
    return ps.Figure(
        name,
        title,
        caption="Test error of the dense network (dashed), of iterative magnitude pruning with learning-rate rewinding"
        f"{beside}. The star marks the optimum of a curve.",
        rows=rows,
        plot=ps.Lines(
            over,
            "test_error",
            series="arm",
            y_label="test error, %",
            share_y=False,
            references=(LABELS["dense"],),
            star="chosen",
            **(OVER_SPARSITY if over == "weights_remaining" else {"x_label": "epochs of training in all"}),
        ),
        claims=tuple(claims),
    )


def _errors(bench: Benchmark, arm: Arm, noise: float) -> ps.Rows:
    def test_loss(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
        return ps.column([p.test for p in bench.row(arm, noise, level)], "loss")

    return level_rows(
        bench,
        arm,
        noise,
        {"panel": noise_name(noise), "arm": LABELS[arm]},
        epochs=quantities.epochs,
        test_error=quantities.test_error,
        test_loss=test_loss,
    )


def level_rows(
    bench: Benchmark,
    arm: Arm,
    noise: float,
    labels: Mapping[str, object],
    **values: Callable[[Benchmark, Arm, float, int], ps.Quantity],
) -> ps.Rows:
    """Rows of all levels of an arm: weights remaining, whether the level is the best, and values by column."""
    columns = {name: over_levels(bench, arm, noise, value) for name, value in values.items()}
    return ps.Rows(
        labels,
        {"weights_remaining": over_levels(bench, arm, noise, remaining), "chosen": is_best(bench, arm, noise)}
        | columns,
        parts={"level": bench.levels_of(arm, noise)},
    )


def _enlarged(part: ps.Rows, panel: Sequence[ps.Rows], within: float) -> ps.Computed:
    """The rows of levels whose mean test error is near the least of their panel."""

    def means(table: ps.Table) -> dict[object, float]:
        errors: dict[object, list[float]] = {}
        for row in table:
            errors.setdefault(row["level"], []).append(number(row["test_error"]))
        return {level: float(np.mean(values)) for level, values in errors.items()}

    def near(results: ps.Results) -> ps.Table:
        table = part.table(results)
        least = min(mean for other in panel for mean in means(other.table(results)).values())
        return [row for row in table if means(table)[row["level"]] <= least + within]

    return ps.Computed(part.nodes, near, part.labels)


def fit_figure(
    bench: Benchmark,
    noise: float,
    *,
    arms: Sequence[Arm] = ("pruned", "extended", "width"),
    name: str = "fit",
    claims: Sequence[ps.Claim] = (),
) -> ps.Figure:
    """Mean training loss on original and on noisy examples against weights remaining, one panel an arm (Fig. 4)."""
    shown = [arm for arm in arms if bench.noises_of(arm)]
    series: list[tuple[Arm, Arm, str]] = [(arm, arm, "") for arm in shown]
    series += [(arm, "dense", ", dense") for arm in shown]
    return ps.Figure(
        name,
        f"What is fitted: original and noisy examples at {noise_name(noise)}",
        caption="Mean training loss on the examples whose label is right (original) and on those whose label was "
        "flipped (noisy); dashed, of the dense network. The star marks the level of least test error. A network "
        "that generalizes despite noise gives the noisy examples up; the data hold its error on them against their "
        "labels before the flip.",
        rows=[
            _fit_rows(bench, arm, noise, {"panel": LABELS[panel], "examples": f"{part}{suffix}"}, part)
            for panel, arm, suffix in series
            for part in ("original", "noisy")
        ],
        plot=ps.Lines(
            "weights_remaining",
            "train_loss",
            series="examples",
            y_label="mean training loss, nats",
            references=("original, dense", "noisy, dense"),
            star="chosen",
            **OVER_SPARSITY,
        ),
        claims=tuple(claims),
    )


def _fit_rows(bench: Benchmark, arm: Arm, noise: float, labels: Mapping[str, object], part: str) -> ps.Rows:
    """What the networks of an arm fit of the original or of the noisy examples."""

    def value(name: str, scale: float = 1.0) -> Callable[[Benchmark, Arm, float, int], ps.Quantity]:
        return lambda *network: train(*network, name=name, scale=scale)

    def fitted(bench: Benchmark, arm: Arm, noise: float, level: int) -> ps.Quantity:
        return train(bench, arm, noise, level, name=f"{part}_error").map(lambda error: 100 * (1 - error))

    # For noisy examples also the error against their labels before the flip, percent.
    true_error = {"true_error": value("noisy_true_error", 100)} if part == "noisy" else {}
    return level_rows(bench, arm, noise, labels, train_loss=value(f"{part}_loss"), **true_error, fitted=fitted)


def epochs_figure(bench: Benchmark, *, noises: Sequence[float] = (), claims: Sequence[ps.Claim] = ()) -> ps.Figure:
    """Test error after every epoch of the dense network: what early stopping alone would give.

    No noises means all there are.
    """
    rows = {noise: bench.row("dense", noise, 0) for noise in noises or bench.noises}
    return ps.Figure(
        "epochs",
        "The dense network over its epochs",
        caption="Test error after every epoch of dense training. Where noisy labels are memorized late, stopping early "
        "recovers much of what pruning does: a control that belongs beside the paper's.",
        rows=[
            ps.Rows(
                {"noise": noise_name(noise)},
                {
                    "epoch": ps.arrays([p.curve for p in row], "epoch"),
                    "test_error": ps.arrays([p.curve for p in row], "error", scale=100),
                    "chosen": is_best_epoch(bench, noise),
                },
            )
            for noise, row in rows.items()
        ],
        plot=ps.Lines("epoch", "test_error", series="noise", x_label="epoch", y_label="test error, %", star="chosen"),
        claims=tuple(claims),
    )
