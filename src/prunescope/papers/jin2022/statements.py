"""What Jin et al. 2022 assert about the arms of any benchmark, as claims.

Belongs here: claims over test errors, and when claims can be judged. Does not belong here: claims about training
losses (`fitting.py`) and groups of examples (`subgroup_statements.py`), published numbers (`published.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, Rule, noise_name
from prunescope.studies import statistics
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Count, Direction, Equivalence
from prunescope.studies.results import Results

POINTS = "percentage points"


def fits_clean(bench: Benchmark) -> Precondition:
    """The dense network without label noise fits its training set (the threshold is proposed)."""
    return Precondition(
        "the dense network fits its clean training set",
        lambda r: 100 * (1 - bench.train_values(r, "dense", 0.0, 0, name="error")),
        at_least=bench.fits,
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


def is_sparse(bench: Benchmark, noise: float, *, rule: Rule = "optimal") -> Precondition:
    """Something was pruned at the chosen level: where the dense network is best, there is nothing to compare."""
    return Precondition(
        "a sparse network generalizes better than the dense one",
        lambda r: float(bench.best_level(r, "pruned", noise, rule=rule)),
        at_least=1,
        unit="(level chosen)",
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
        sample=lambda r: gain(bench, r, noise),
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


def gain_grows(bench: Benchmark, noise: float) -> Claim:
    """The gain from pruning grows with label noise (Fig. 3)."""
    return Claim(
        "gain-grows",
        f"Pruning gains more at {noise_name(noise)} than without.",
        basis="paper",
        place="Jin et al. 2022, Fig. 3",
        region=Direction("greater"),
        sample=lambda r: gain(bench, r, noise) - gain(bench, r, 0.0),
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


def extended_matches_everywhere(bench: Benchmark, *, above: float = 1.0) -> Claim:
    """At every sparsity with more than `above` percent of the weights, extended training matches pruning (Fig. 1a)."""

    def sample(results: Results) -> Numbers:
        pruned, longer = (bench.test_errors(results, arm, 0.0) for arm in ("pruned", "extended"))
        levels = [
            level
            for level in range(1, bench.depth("extended", 0.0) + 1)
            if bench.remaining(results, bench.row("pruned", 0.0, level)[0]) > above
        ]
        return np.array([float(not statistics.differs(longer[n] - pruned[n])) for n in levels])

    return Claim(
        "extended-matches-everywhere",
        f"Without label noise, extended dense training matches pruning at every level to which it was run with more "
        f"than {above:g} % of the weights.",
        basis="paper",
        place="Jin et al. 2022, Fig. 1a",
        region=Count(1, of=1),
        sample=sample,
        preconditions=(fits_clean(bench),),
        unit="share of levels that match by the paper's rule",
    )


def helps_at_every_noise(bench: Benchmark) -> Claim:
    """The optimally sparse network differs from the dense one for the better at each noise level (Fig. 3)."""
    noises = noisy(bench)

    def sample(results: Results) -> Numbers:
        gains = [gain(bench, results, noise) for noise in noises]
        return np.array([float(statistics.differs(g) and g.mean() > 0) for g in gains])

    return Claim(
        "pruning-helps-count",
        "At 11 of 13 noisy benchmarks the optimally sparse network generalizes better than the dense one, by the "
        "paper's rule; here over the noise levels of this benchmark.",
        basis="paper",
        place="Jin et al. 2022, Fig. 3 and section 4",
        region=Count(11, of=13),
        sample=sample,
        preconditions=tuple(fits_noise(bench, noise) for noise in noises),
        unit="share of noise levels",
        min_replicates=1,
    )


def width_is_worse_on_clean(bench: Benchmark) -> Claim:
    """Without noise, narrower networks do not reach the pruned ones (Fig. 7: on 4 of 5 benchmarks)."""
    return Claim(
        "width-is-worse-clean",
        "Without label noise, width down-scaling at its best has a higher test error than pruning at its best.",
        basis="paper",
        place="Jin et al. 2022, Fig. 7 (4 of 5 benchmarks)",
        region=Direction("greater"),
        sample=lambda r: bench.at_best(r, "width", 0.0) - bench.at_best(r, "pruned", 0.0),
        preconditions=(fits_clean(bench),),
        unit=f"{POINTS} of test error, width minus pruned",
    )


def width_helps(bench: Benchmark, noise: float) -> Claim:
    """With noise, narrower networks generalize better than the full one (Fig. 7)."""
    return Claim(
        "width-helps",
        f"At {noise_name(noise)}, width down-scaling at its best has a lower test error than the full dense network.",
        basis="paper",
        place="Jin et al. 2022, Fig. 7 and section 5.2",
        region=Direction("greater"),
        sample=lambda r: bench.test_errors(r, "dense", noise)[0] - bench.at_best(r, "width", noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, dense minus width",
    )


def at_each_noise(
    bench: Benchmark, *makers: Callable[[Benchmark, float], Claim], noises: Sequence[float] | None = None
) -> tuple[Claim, ...]:
    """Each claim at each of some levels of label noise (by default all), its name with the level in percent."""
    chosen = noisy(bench) if noises is None else [noise for noise in noises if noise > 0]
    claims = [(make(bench, noise), noise) for make in makers for noise in chosen]
    return tuple(replace(claim, name=f"{claim.name}-{100 * noise:g}") for claim, noise in claims)


def noisy(bench: Benchmark, arm: Arm = "pruned") -> tuple[float, ...]:
    """The noise levels above 0 at which an arm is run."""
    return tuple(noise for noise in bench.noises_of(arm) if noise > 0)


def gain(bench: Benchmark, results: Results, noise: float) -> Numbers:
    """Test error of the dense network minus that at the optimal sparsity, percentage points, [replicates]."""
    return np.asarray(bench.test_errors(results, "dense", noise)[0] - bench.at_best(results, "pruned", noise))
