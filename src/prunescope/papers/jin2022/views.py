"""Figures and claims of Jin et al. 2022 over any benchmark's arms.

Belongs here: what is drawn and asserted, once for all benchmarks. Does not belong here: which runs there are
(`arms.py`), what a verdict is (`studies`).
"""

import numpy as np

from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, available, noise_name
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.figure import Figure, Lines
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.results import Results

LABELS: dict[Arm, str] = {
    "dense": "dense",
    "pruned": "pruned",
    "extended": "extended dense",
    "width": "width-scaled",
}
POINTS = "percentage points"


def error_figure(bench: Benchmark) -> Figure:
    """Test error against weights remaining, one curve an arm, one panel a noise level (Figs 1a, 3, 6, 7)."""

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": noise_name(p.noise),
                "arm": LABELS[p.arm],
                "replicate": p.replicate,
                "level": p.level,
                "weights_remaining": bench.remaining(results, p),
                "test_error": 100 * float(results[p.test]["error"]),
                "test_loss": float(results[p.test]["loss"]),
            }
            for p in available(results, bench.points)
        ]

    return Figure(
        "error",
        "Test error over sparsity",
        caption=(
            "Test error of the dense network (dashed), of iterative magnitude pruning with learning-rate rewinding, "
            "and of the controls that keep only one of its ingredients: the training (extended dense training, "
            "drawn at the weights remaining of the pruned network that has trained as long)"
            + (" and the size (a narrower dense network)" if bench.width_levels else "")
            + ". The star marks the least mean error of a curve."
        ),
        table=table,
        plot=Lines(
            "weights_remaining",
            "test_error",
            series="arm",
            x_label="weights remaining, %",
            y_label="test error, %",
            log_x=True,
            reverse_x=True,
            share_y=False,
            references=("dense",),
            star="lowest",
        ),
        lineage={LABELS[arm]: _runs(bench, arm) for arm in ("dense", *bench.arms)},
    )


def fit_figure(bench: Benchmark, noise: float) -> Figure:
    """Mean training loss on original and on noisy examples against weights remaining (Fig. 4)."""

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {
                "panel": LABELS[p.arm],
                "examples": name,
                "replicate": p.replicate,
                "level": p.level,
                "weights_remaining": bench.remaining(results, p),
                "train_loss": float(results[p.train][f"{name}_loss"]),
                "fitted": 100 * (1 - float(results[p.train][f"{name}_error"])),
            }
            for p in available(results, bench.points)
            if p.noise == noise and p.arm != "dense"
            for name in ("original", "noisy")
        ]

    return Figure(
        "fit",
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
            name: [run for arm in bench.arms for run in _runs(bench, arm)] for name in ("original", "noisy")
        },
    )


def epochs_figure(bench: Benchmark) -> Figure:
    """Test error after every epoch of the dense network: what early stopping alone would give."""

    def table(results: Results) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for p in bench.points:
            if p.arm == "dense" and p.curve in results:
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
            noise_name(noise): [p.recipe for p in bench.row("dense", noise, 0)] for noise in bench.noises
        },
    )


def fits_clean(bench: Benchmark, *, at_least: float = 99.0) -> Precondition:
    """The dense network without label noise fits its training set (proposed threshold)."""
    return Precondition(
        "the dense network fits its clean training set",
        lambda r: 100 * (1 - bench.train_values(r, "dense", 0.0, 0, name="error")),
        at_least=at_least,
        unit="% fitted",
    )


def fits_noise(bench: Benchmark, noise: float, *, at_least: float = 50.0) -> Precondition:
    """The dense network has memorized most noisy labels (proposed threshold)."""
    return Precondition(
        "the dense network has memorized its noisy labels",
        lambda r: 100 * (1 - bench.train_values(r, "dense", noise, 0, name="noisy_error")),
        at_least=at_least,
        unit="% of noisy labels fitted",
    )


def better_training(bench: Benchmark) -> Claim:
    """Mild pruning lowers the training loss (sections 1 and 4, Fig. 2a)."""
    return Claim(
        "better-training",
        "Without label noise, one level of pruning and retraining lowers the mean training loss.",
        basis="paper",
        place="Jin et al. 2022, section 4, Fig. 2a",
        region=Direction("less"),
        sample=lambda r: (
            bench.train_values(r, "pruned", 0.0, 1, name="loss")
            - bench.train_values(r, "dense", 0.0, 0, name="loss")
        ),
        preconditions=(fits_clean(bench),),
        unit="nats, pruned minus dense",
    )


def extended_matches(bench: Benchmark, *, margin: float) -> Claim:
    """On clean data extended dense training does what pruning does (Figs 1a, 6). The margin is ours."""
    return Claim(
        "extended-matches",
        f"Without label noise, extended dense training at its best is within {margin:g} points of pruning at its best.",
        basis="paper",
        place="Jin et al. 2022, Fig. 1a and Fig. 6 (the margin is proposed here)",
        region=Equivalence(margin),
        sample=lambda r: bench.at_best(r, "extended", 0.0) - bench.at_best(r, "pruned", 0.0),
        preconditions=(fits_clean(bench),),
        unit=f"{POINTS} of test error, extended minus pruned",
    )


def pruning_helps(bench: Benchmark, noise: float) -> Claim:
    """With noise, the optimally sparse network generalizes better than the dense one (Fig. 3)."""
    return Claim(
        "pruning-helps",
        f"At {noise_name(noise)}, the optimally sparse network has a lower test error than the dense one.",
        basis="paper",
        place="Jin et al. 2022, Fig. 3",
        region=Direction("greater"),
        sample=lambda r: _gain(bench, r, noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, dense minus pruned",
    )


def extended_is_worse(bench: Benchmark, noise: float) -> Claim:
    """With noise, extended dense training loses to pruning (Fig. 6)."""
    return Claim(
        "extended-is-worse",
        f"At {noise_name(noise)}, extended dense training at its best errs more on the test set than pruning does.",
        basis="paper",
        place="Jin et al. 2022, Fig. 6",
        region=Direction("greater"),
        sample=lambda r: bench.at_best(r, "extended", noise) - bench.at_best(r, "pruned", noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, extended minus pruned",
    )


def noisy_loss_rises(bench: Benchmark, noise: float) -> Claim:
    """The optimally sparse network gives noisy examples up (Fig. 4)."""

    def gap(results: Results, arm: Arm, level: int) -> Numbers:
        return bench.train_values(results, arm, noise, level, name="noisy_loss") - bench.train_values(
            results, arm, noise, level, name="original_loss"
        )

    def sample(results: Results) -> Numbers:
        level = bench.best_level(results, "pruned", noise)
        return gap(results, "pruned", level) - gap(results, "dense", 0)

    return Claim(
        "noisy-loss-rises",
        f"At {noise_name(noise)}, the loss on noisy examples exceeds that on original ones by more at the optimal "
        "sparsity than in the dense network.",
        basis="paper",
        place="Jin et al. 2022, Fig. 4",
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits_noise(bench, noise),),
        unit="nats, gap of pruned minus gap of dense",
    )


def gain_grows(bench: Benchmark, noise: float) -> Claim:
    """The gain from pruning grows with label noise (Fig. 3)."""
    return Claim(
        "gain-grows",
        f"Pruning gains more at {noise_name(noise)} than without.",
        basis="paper",
        place="Jin et al. 2022, Fig. 3",
        region=Direction("greater"),
        sample=lambda r: _gain(bench, r, noise) - _gain(bench, r, 0.0),
        preconditions=(fits_clean(bench), fits_noise(bench, noise)),
        unit=f"{POINTS} of test error",
    )


def width_is_worse(bench: Benchmark, noise: float) -> Claim:
    """A narrower dense network does not quite reach the pruned one (Fig. 7)."""
    return Claim(
        "width-is-worse",
        f"At {noise_name(noise)}, width down-scaling at its best has a higher test error than pruning at its best.",
        basis="paper",
        place="Jin et al. 2022, Fig. 7 (LeNet alone spans -4 to 0.4 points there)",
        region=Direction("greater"),
        sample=lambda r: bench.at_best(r, "width", noise) - bench.at_best(r, "pruned", noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, width minus pruned",
    )


def _gain(bench: Benchmark, results: Results, noise: float) -> Numbers:
    """Test error of the dense network minus that at the optimal sparsity, percentage points, [replicates]."""
    return np.asarray(bench.test_errors(results, "dense", noise)[0] - bench.at_best(results, "pruned", noise))


def _runs(bench: Benchmark, arm: Arm) -> list[Value]:
    return [point.recipe for point in bench.points if point.arm == arm]
