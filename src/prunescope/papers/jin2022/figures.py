"""Figures of Jin et al. 2022 over any benchmark's arms: what several studies draw.

Not here: groups of examples (`subgroups.py`), classes (`classes.py`), claims.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark
from prunescope.papers.jin2022.quantities import (
    OfNetwork,
    epochs,
    is_best,
    is_best_epoch,
    over_levels,
    remaining,
    test_error,
    train,
)
from prunescope.papers.readings import noise_name
from prunescope.studies.curves import number

CONTROLS: Mapping[Arm, str] = {
    "extended": "extended dense training (the training alone, drawn at the weights remaining of the pruned network "
    "that has trained as long)",
    "width": "narrower dense networks (the size alone)",
}
ALL: Sequence[Arm] = ("pruned", "extended", "width")


def over_sparsity(y: str, y_label: str = "", *, series: str = "arm", **more: Any) -> ps.Lines:
    """Curves of a column over the weights that remain, fewer to the right; more: fields of `Lines`."""
    plot = ps.Lines("weights_remaining", y, series=series, x_label="weights remaining, %", y_label=y_label, **more)
    return replace(plot, log_x=True, reverse_x=True)


def error_figure(
    bench: Benchmark,
    *,
    arms: Sequence[Arm] = ALL,
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
        panel = [
            level_rows(
                bench,
                arm,
                noise,
                {"panel": noise_name(noise), "arm": LABELS[arm]},
                epochs=epochs,
                test_error=test_error,
                test_loss=lambda *network: ps.column([p.test for p in bench.row(*network[1:])], "loss"),
            )
            for arm in ("dense", *(arm for arm in shown if bench.depth(arm, noise)))
        ]
        rows += panel if within is None else [_enlarged(part, panel, within) for part in panel]
    beside = "".join(f", of {CONTROLS[arm]}" for arm in shown if arm in CONTROLS)
    lacking = ", ".join(
        f"{LABELS[arm]} at {noise_name(noise)}"
        for noise in noises or bench.noises
        for arm in shown
        if not bench.depth(arm, noise)
    )
    plot = over_sparsity("test_error", "test error, %", share_y=False, references=(LABELS["dense"],), star="chosen")
    if over == "epochs":
        plot = replace(plot, x=over, x_label="epochs of training in all", log_x=False, reverse_x=False)
    return ps.Figure(
        name,
        title,
        caption="Test error of the dense network (dashed), of iterative magnitude pruning with learning-rate rewinding"
        f"{beside}. The star marks the optimum of a curve." + (f" Not run: {lacking}." if lacking else ""),
        rows=rows,
        plot=plot,
        claims=tuple(claims),
    )


def level_rows(bench: Benchmark, arm: Arm, noise: float, labels: Mapping[str, object], **values: OfNetwork) -> ps.Rows:
    """Rows of all levels of an arm: weights remaining, whether the level is the best, and values by column."""
    columns = {name: over_levels(bench, arm, noise, value) for name, value in values.items()}
    x = over_levels(bench, arm, noise, remaining)
    shared = {"weights_remaining": x, "chosen": is_best(bench, arm, noise)}
    return ps.Rows(labels, shared | columns, parts={"level": bench.levels_of(arm, noise)})


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
    bench: Benchmark, noise: float, *, arms: Sequence[Arm] = ALL, name: str = "fit", claims: Sequence[ps.Claim] = ()
) -> ps.Figure:
    """Mean training loss on original and on noisy examples against weights remaining, one panel an arm (Fig. 4)."""
    shown = [arm for arm in arms if bench.noises_of(arm)]
    series: list[tuple[Arm, Arm, str]] = [(arm, arm, "") for arm in shown]
    series += [(arm, "dense", ", dense") for arm in shown]
    dashed, y_label = ("original, dense", "noisy, dense"), "mean training loss, nats"
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
        plot=over_sparsity("train_loss", y_label, series="examples", references=dashed, star="chosen"),
        claims=tuple(claims),
    )


def _fit_rows(bench: Benchmark, arm: Arm, noise: float, labels: Mapping[str, object], part: str) -> ps.Rows:
    """What the networks of an arm fit of the original or of the noisy examples.

    For noisy examples also the error against their labels before the flip, percent.
    """

    def fitted(*network: Any) -> ps.Quantity:
        return train(*network, name=f"{part}_error").map(lambda error: 100 * (1 - error))

    true = {"true_error": partial(train, name="noisy_true_error", scale=100)} if part == "noisy" else {}
    loss = partial(train, name=f"{part}_loss")
    return level_rows(bench, arm, noise, labels, train_loss=loss, **true, fitted=fitted)


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


def noise_figure(
    name: str,
    title: str,
    caption: str,
    rows: Iterable[tuple[str, float, ps.Quantity]],
    *,
    series: str,
    y: str,
    y_label: str,
    claims: Iterable[ps.Claim] = (),
) -> ps.Figure:
    """A number over label noise. rows: name of the series, share of wrong labels, quantity."""
    return ps.Figure(
        name,
        title,
        caption=caption,
        rows=[ps.Rows({series: label, "noise": 100 * noise}, {y: quantity}) for label, noise, quantity in rows],
        plot=ps.Lines("noise", y, series=series, x_label="label noise, %", y_label=y_label),
        claims=tuple(claims),
    )
