"""What Jin et al. 2022 assert about the arms of any benchmark, as claims.

Belongs here: claims over test errors, and when claims can be judged. Does not belong here: claims about training
losses (`fitting.py`) and groups of examples (`subgroup_statements.py`), published numbers (`published.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from prunescope.papers.jin2022.arms import Arm, Benchmark, Numbers, Rule, noise_name
from prunescope.papers.jin2022.expected import said
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Among, Direction, Equivalence
from prunescope.studies.results import Results

RULE_WORDS: Mapping[Rule, str] = MappingProxyType(
    {"optimal": "optimal", "highest_improving": "highest improving"}
)
POINTS = "percentage points"
CLOSE = 0.5
"""Percentage points within which two test errors count as equal; proposed."""
MOST_BY_WIDTH = 2.1
"""Points by which narrower networks miss pruning at most, with label noise. Source: section 5.2, conclusion."""


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


def is_sparse(bench: Benchmark, noise: float, *, rule: Rule = "optimal", arm: Arm = "pruned") -> Precondition:
    """The chosen level is not 0: where the dense network is best, there is nothing to compare."""
    kind = "narrower" if arm == "width" else "sparse"
    return Precondition(
        f"a {kind} network generalizes better than the dense one",
        lambda r: float(bench.best_level(r, arm, noise, rule=rule)),
        at_least=1,
        unit="(level chosen)",
    )


def optima_inside(
    bench: Benchmark, *arms: Arm, noises: Sequence[float] | None = None, rule: Rule = "optimal"
) -> tuple[Precondition, ...]:
    """The chosen level is not the last of its chain, where a better one may follow; for a study's cautions.

    noises: by default all; an arm is looked at where it is run.
    """
    return tuple(
        Precondition(
            f"at {noise_name(noise)}, the {RULE_WORDS[rule]} level of the arm '{arm}' comes before its last one",
            partial(_level, bench, arm, noise, rule),
            at_most=bench.depth(arm, noise) - 1,
            unit="(level chosen; the chain is too short to show the optimum)",
        )
        for arm in arms
        for noise in (bench.noises_of(arm) if noises is None else noises)
        if bench.depth(arm, noise)
    )


def _level(bench: Benchmark, arm: Arm, noise: float, rule: Rule, results: Results) -> float:
    return float(bench.best_level(results, arm, noise, rule=rule))


def extended_matches(bench: Benchmark, *, margin: float) -> Claim:
    """On clean data extended dense training does what pruning does (Figs 1a, 6). The margin is ours."""
    return Claim(
        "extended-matches",
        f"Without label noise, extended dense training at its best is within {margin:g} points of pruning at its best.",
        **said("extended-matches", bench.name, "Figs 1a and 6 (the margin is proposed here)"),
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
        **said("pruning-helps", bench.name, "Fig. 3", noise),
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
        **said("extended-is-worse", bench.name, "section 5.1 and Fig. 6", noise),
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
        **said("gain-grows", bench.name, "section 4 and Fig. 3", noise),
        region=Direction("greater"),
        sample=lambda r: gain(bench, r, noise) - gain(bench, r, 0.0),
        preconditions=(fits_clean(bench), fits_noise(bench, noise)),
        unit=f"{POINTS} of test error",
    )


def gain_grows_at_each(bench: Benchmark) -> tuple[Claim, ...]:
    """The gain grows from each level of label noise to the next (Fig. 3), where there are several."""
    noises = bench.noises
    if len(noises) < 3:
        return ()
    return (
        Claim(
            "gain-grows-at-each",
            "Pruning gains more at each level of label noise than at the one below it "
            f"({', '.join(f'{100 * noise:g}' for noise in noises)} %).",
            **said("gain-grows-at-each", bench.name, "section 4 and Fig. 3", max(noises)),
            region=Among(Direction("greater")),
            sample=lambda r: np.stack(
                [gain(bench, r, more) - gain(bench, r, less) for less, more in pairwise(noises)], axis=1
            ),
            preconditions=(fits_clean(bench), *(fits_noise(bench, noise) for noise in noisy(bench))),
            unit="share of steps from a noise level to the next",
        ),
    )


def width_is_worse(bench: Benchmark, noise: float) -> Claim:
    """A narrower dense network does not quite reach the pruned one (Fig. 7)."""
    return Claim(
        "width-is-worse",
        f"At {noise_name(noise)}, width down-scaling at its best has a higher test error than pruning at its best.",
        **said("width-is-worse", bench.name, "section 5.2 and Fig. 7", noise),
        region=Direction("greater"),
        sample=lambda r: bench.at_best(r, "width", noise) - bench.at_best(r, "pruned", noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, width minus pruned",
    )


def extended_matches_everywhere(bench: Benchmark, *, margin: float, above: float = 1.0) -> Claim:
    """At every sparsity with more than `above` percent of the weights, extended training matches pruning (Fig. 1a)."""

    def sample(results: Results) -> Numbers:
        pruned, longer = (bench.test_errors(results, arm, 0.0) for arm in ("pruned", "extended"))
        levels = [
            level
            for level in range(1, bench.depth("extended", 0.0) + 1)
            if bench.remaining(results, bench.row("pruned", 0.0, level)[0]) > above
        ]
        return np.array([longer[n] - pruned[n] for n in levels]).T.reshape(bench.replicates, len(levels))

    return Claim(
        "extended-matches-everywhere",
        f"Without label noise, extended dense training is within {margin:g} points of pruning at every level to which "
        f"it was run with more than {above:g} % of the weights.",
        **said("extended-matches-everywhere", bench.name, "Fig. 1a (the margin is proposed here)"),
        region=Among(Equivalence(margin)),
        sample=sample,
        preconditions=(fits_clean(bench),),
        unit="share of levels",
    )


def width_is_worse_on_clean(bench: Benchmark) -> Claim:
    """Without noise, narrower networks do not reach the pruned ones (Fig. 7: on 4 of 5 benchmarks)."""
    return Claim(
        "width-is-worse-clean",
        "Without label noise, width down-scaling at its best has a higher test error than pruning at its best.",
        **said("width-is-worse-clean", bench.name, "section 5.2 and Fig. 7 (there on 4 of 5 benchmarks)"),
        region=Direction("greater"),
        sample=lambda r: bench.at_best(r, "width", 0.0) - bench.at_best(r, "pruned", 0.0),
        preconditions=(fits_clean(bench),),
        unit=f"{POINTS} of test error, width minus pruned",
    )


def width_is_close(bench: Benchmark, noise: float) -> Claim:
    """With noise, narrower networks come close to the pruned one (section 5.2, conclusion)."""
    return Claim(
        "width-is-close",
        f"At {noise_name(noise)}, the least test error of width down-scaling exceeds that of pruning by no more than "
        f"{MOST_BY_WIDTH:g} points.",
        **said("width-is-close", bench.name, "section 5.2, conclusion", noise),
        region=Direction("less", than=MOST_BY_WIDTH),
        sample=lambda r: bench.at_best(r, "width", noise) - bench.at_best(r, "pruned", noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, width minus pruned",
    )


def dense_is_best(bench: Benchmark, noise: float) -> Claim:
    """No sparse network generalizes better than the dense one: LeNet at 5 % noise (Fig. 5)."""
    return Claim(
        "dense-is-best",
        f"At {noise_name(noise)}, no pruned network has a lower test error than the dense one.",
        **said("dense-is-best", bench.name, "Fig. 5", noise),
        region=Direction("greater", or_matches=True),
        sample=lambda r: -gain_of_sparse(bench, r, noise),
        preconditions=(fits_noise(bench, noise),),
        unit=f"{POINTS} of test error, best pruned minus dense",
    )


def width_helps(bench: Benchmark, noise: float) -> Claim:
    """With noise, narrower networks generalize better than the full one (Fig. 7)."""
    return Claim(
        "width-helps",
        f"At {noise_name(noise)}, width down-scaling at its best has a lower test error than the full dense network.",
        **said("width-helps", bench.name, "section 5.2 and Fig. 7", noise),
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


def gain_of_sparse(bench: Benchmark, results: Results, noise: float) -> Numbers:
    """Test error of the dense network minus that of the best network with weights removed, points, [replicates]."""
    errors = bench.test_errors(results, "pruned", noise)
    return np.asarray(errors[0] - errors[1:][errors[1:].mean(axis=1).argmin()])
