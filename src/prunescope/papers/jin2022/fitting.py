"""What Jin et al. 2022 assert about training losses, original and noisy, as claims.

Belongs here: claims over mean training losses of the arms. Does not belong here: claims about test errors
(`statements.py`) and about groups of examples (`subgroup_statements.py`).
"""

import numpy as np

from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, noise_name
from prunescope.papers.jin2022.expected import said
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise, is_sparse
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction
from prunescope.studies.results import Results


def better_training(bench: Benchmark) -> Claim:
    """Mild pruning lowers the training loss (section 4, conclusion)."""
    return Claim(
        "better-training",
        "Without label noise, one level of pruning and retraining lowers the mean training loss.",
        **said("better-training", bench.name, "section 4, conclusion (one level is proposed here)"),
        region=Direction("less"),
        sample=lambda r: (
            bench.train_values(r, "pruned", 0.0, 1, name="loss")
            - bench.train_values(r, "dense", 0.0, 0, name="loss")
        ),
        preconditions=(fits_clean(bench),),
        unit="nats, pruned minus dense",
    )


def noisy_loss_rises(bench: Benchmark, noise: float) -> Claim:
    """The optimally sparse network gives noisy examples up (Fig. 4)."""

    def sample(results: Results) -> Numbers:
        level = bench.best_level(results, "pruned", noise)
        return fit_gap(bench, results, "pruned", noise, level) - fit_gap(bench, results, "dense", noise, 0)

    return Claim(
        "noisy-loss-rises",
        f"At {noise_name(noise)}, the loss on noisy examples exceeds that on original ones by more at the optimal "
        "sparsity than in the dense network.",
        **said("noisy-loss-rises", bench.name, "section 4 and Fig. 4", noise),
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits_noise(bench, noise), is_sparse(bench, noise)),
        unit="nats, gap of pruned minus gap of dense",
    )


def noisy_loss_falls_first(bench: Benchmark, noise: float) -> Claim:
    """One level of pruning lowers the loss on noisy examples (Fig. 4)."""
    return Claim(
        "noisy-loss-falls-first",
        f"At {noise_name(noise)}, one level of pruning and retraining lowers the loss on noisy examples.",
        **said(
            "noisy-loss-falls-first", bench.name, "section 4 and Fig. 4 (one level is proposed here)", noise
        ),
        region=Direction("less"),
        sample=lambda r: (
            bench.train_values(r, "pruned", noise, 1, name="noisy_loss")
            - bench.train_values(r, "dense", noise, 0, name="noisy_loss")
        ),
        preconditions=(fits_noise(bench, noise),),
        unit="nats, pruned minus dense",
    )


def gap_shrinks_at_last(bench: Benchmark, noise: float) -> Claim:
    """The gap between noisy and original loss passes its peak within the levels that were run (Fig. 4)."""

    def gaps(results: Results) -> Numbers:
        return np.stack([fit_gap(bench, results, "pruned", noise, n) for n in range(bench.levels + 1)])

    def peak(results: Results) -> int:
        return int(gaps(results).mean(axis=1).argmax())

    passed = Precondition(
        "the gap's peak comes before the last level",
        lambda r: float(peak(r)),
        at_most=bench.levels - 1,
        unit="(level of the peak)",
    )

    return Claim(
        "gap-shrinks-at-last",
        f"At {noise_name(noise)}, the gap between the loss on noisy and on original examples is smaller at the "
        "highest sparsity than at its peak.",
        **said("gap-shrinks", bench.name, "section 4 and Fig. 4 (at which sparsity is not said)", noise),
        region=Direction("less"),
        sample=lambda r: gaps(r)[-1] - gaps(r)[peak(r)],
        preconditions=(fits_noise(bench, noise), passed),
        unit="nats, last gap minus largest gap",
    )


def true_labels_return(bench: Benchmark, noise: float) -> Claim:
    """At the optimum, the network says the true label of more noisy examples than the dense one does (ours)."""
    return Claim(
        "true-labels-return",
        f"At {noise_name(noise)}, the optimally sparse network predicts the label before the flip for more of the "
        "noisy examples than the dense network.",
        basis="proposed",
        place="proposed here: what giving noisy examples up is good for",
        region=Direction("less"),
        sample=lambda r: (
            100
            * (
                bench.train_values(
                    r, "pruned", noise, bench.best_level(r, "pruned", noise), name="noisy_true_error"
                )
                - bench.train_values(r, "dense", noise, 0, name="noisy_true_error")
            )
        ),
        preconditions=(fits_noise(bench, noise), is_sparse(bench, noise)),
        unit=f"{POINTS} of error against true labels, pruned minus dense",
    )


def fit_gap(bench: Benchmark, results: Results, arm: Arm, noise: float, level: int) -> Numbers:
    """Mean training loss on noisy minus that on original examples, nats, [replicates]."""
    return bench.train_values(results, arm, noise, level, name="noisy_loss") - bench.train_values(
        results, arm, noise, level, name="original_loss"
    )
