"""What Jin et al. 2022 assert about groups of training examples, as claims.

Belongs here: claims over changes in loss by EL2N group. Does not belong here: the groups (`subgroups.py`).
"""

from functools import partial

import numpy as np

from prunescope.papers.jin2022.arms import Arm, Numbers, Rule, noise_name
from prunescope.papers.jin2022.expected import SATURATED, said
from prunescope.papers.jin2022.harm import by_chance, no_more_than_by_chance
from prunescope.papers.jin2022.published import CONCENTRATION
from prunescope.papers.jin2022.statements import fits_clean, fits_noise, is_sparse, noisy
from prunescope.papers.jin2022.subgroups import Subgroups
from prunescope.studies import statistics
from prunescope.studies.claim import Claim
from prunescope.studies.groups import concentration
from prunescope.studies.region import Among, Direction, Value
from prunescope.studies.results import Results

PRUNED_AND_WIDTH: tuple[Arm, Arm] = ("pruned", "width")
WORSE = ("resnet20", "vgg16")
"""The benchmarks that the paper finds fitted worse at the highest improving sparsity."""
MOST_NOISE = 0.6
"""The label noise at which the paper sees little change in some networks (Fig. 5)."""
TOP = 0.2
"""The share of examples that counts as influential (section 3)."""


def every_group_improves(sub: Subgroups) -> Claim:
    """At the optimum no group is fitted worse, by the paper's rule (Fig. 2a)."""
    return Claim(
        "every-group-improves",
        "Without label noise, the optimally sparse network fits every group of training examples as well as the dense "
        "network or better.",
        **said("every-group-improves", sub.theirs, "section 3, Fig. 2a"),
        region=Among(Direction("less", or_matches=True)),
        sample=lambda r: _change(sub, r, "pruned", 0.0, "optimal"),
        preconditions=(fits_clean(sub.bench), is_sparse(sub.bench, 0.0)),
        unit="share of groups",
    )


def influential_improve_most(sub: Subgroups) -> Claim:
    """At the optimum the loss of the top 20 % of EL2N falls by more than that of the rest (Figs 1b, 2a)."""
    return Claim(
        "influential-improve-most",
        "Without label noise, at the optimal sparsity the loss falls by more on the examples with the top 20 % of "
        f"{sub.axis} than on the rest.",
        **said("influential-improve-most", sub.theirs, "section 3, Figs 1b and 2a"),
        region=Direction("less"),
        sample=lambda r: _top(sub, r, "pruned", 0.0, "optimal") - _rest(sub, r, "pruned", 0.0, "optimal"),
        preconditions=(fits_clean(sub.bench), is_sparse(sub.bench, 0.0)),
        unit="nats, change on the top 20 % minus change on the rest",
    )


def concentration_in_range(sub: Subgroups) -> Claim:
    """How much stronger the effect is on influential examples: 3.5 to 71 times (section 3)."""
    low, high = CONCENTRATION
    return Claim(
        "concentration",
        f"Without label noise, at the optimal sparsity the mean change in loss on the top 20 % of {sub.axis} is "
        f"{low:g} to {high:g} times that on the rest.",
        **said("concentration", sub.theirs, "section 3, Fig. 2a (range over five benchmarks)"),
        region=Value((low + high) / 2, (high - low) / 2),
        sample=lambda r: [concentration(row, top=TOP) for row in _change(sub, r, "pruned", 0.0, "optimal")],
        preconditions=(fits_clean(sub.bench), is_sparse(sub.bench, 0.0)),
        unit="ratio",
    )


def loss_at_highest(sub: Subgroups) -> Claim:
    """At the highest improving sparsity: worse on most groups for VGG-16 and ResNet-20, better elsewhere (Fig. 2b)."""
    worse = sub.bench.name in WORSE

    def sample(results: Results) -> Numbers:
        change = _change(sub, results, "pruned", 0.0, "highest_improving")
        return np.asarray((change > 0).mean(axis=1)) if worse else np.asarray(change.mean(axis=1))

    return Claim(
        "loss-at-highest-improving",
        "Without label noise, at the highest sparsity that still improves on the dense network "
        + ("most groups are fitted worse." if worse else "the training loss is lower overall."),
        **said("loss-at-highest-improving", sub.theirs, "section 4, Fig. 2b"),
        region=Direction("greater", than=0.5) if worse else Direction("less"),
        sample=sample,
        preconditions=(fits_clean(sub.bench), is_sparse(sub.bench, 0.0, rule="highest_improving")),
        unit="share of groups fitted worse" if worse else "nats, pruned minus dense",
    )


def influential_worsen_at_highest(sub: Subgroups) -> tuple[Claim, ...]:
    """Where the loss rises at the highest improving sparsity, it rises most on influential examples (Figs 1b, 2b)."""
    if sub.bench.name not in WORSE:
        return ()
    rule: Rule = "highest_improving"
    return (
        Claim(
            "influential-worsen-at-highest",
            "Without label noise, at the highest sparsity that still improves on the dense network the loss rises by "
            f"more on the examples with the top 20 % of {sub.axis} than on the rest.",
            **said("influential-worsen-at-highest", sub.theirs, "section 4, Figs 1b and 2b"),
            region=Direction("greater"),
            sample=lambda r: _top(sub, r, "pruned", 0.0, rule) - _rest(sub, r, "pruned", 0.0, rule),
            preconditions=(fits_clean(sub.bench), is_sparse(sub.bench, 0.0, rule=rule)),
            unit="nats, change on the top 20 % minus change on the rest",
        ),
    )


def same_pattern(sub: Subgroups, noise: float) -> Claim:
    """With noise, narrower networks change the loss of the same groups as pruned ones (App. I)."""

    def sample(results: Results) -> list[float]:
        pruned, width = (_change(sub, results, arm, noise, "optimal") for arm in PRUNED_AND_WIDTH)
        return [statistics.rank_correlation(one, other) for one, other in zip(pruned, width, strict=True)]

    return Claim(
        "same-pattern",
        f"At {noise_name(noise)}, the groups of training examples whose loss pruning to its optimum raises most are "
        "those whose loss the best narrower dense network raises most.",
        **said("same-pattern", sub.theirs, "section 5.2 and App. I (the measure is proposed here)", noise),
        region=Direction("greater"),
        sample=sample,
        preconditions=(
            fits_noise(sub.bench, noise),
            *(is_sparse(sub.bench, noise, arm=arm) for arm in PRUNED_AND_WIDTH),
        ),
        unit="rank correlation over groups",
    )


def influential_worsen(sub: Subgroups, noise: float, *, arm: Arm = "pruned") -> Claim:
    """With noise, at the optimum the loss of influential examples rises (Fig. 5; App. I for width)."""
    words = {
        "pruned": "the optimally sparse network",
        "width": "the narrower dense network of least test error",
    }
    return Claim(
        "influential-worsen" if arm == "pruned" else f"influential-worsen-{arm}",
        f"At {noise_name(noise)}, {words[arm]} fits the examples with the top 20 % of {sub.axis} worse than the full "
        "dense network does.",
        **(
            said("influential-worsen", sub.theirs, "Fig. 5", noise)
            if arm == "pruned"
            else said("influential-worsen-width", sub.theirs, "section 5.2 and App. I", noise)
        ),
        region=Direction("greater"),
        sample=lambda r: _top(sub, r, arm, noise, "optimal"),
        preconditions=(fits_noise(sub.bench, noise), is_sparse(sub.bench, noise, arm=arm)),
        unit="nats, change on the top 20 %",
    )


def influential_worsen_most(sub: Subgroups, noise: float) -> Claim:
    """With noise, at the optimum the loss rises most on influential examples (Fig. 5)."""
    return Claim(
        "influential-worsen-most",
        f"At {noise_name(noise)}, at the optimal sparsity the loss rises by more on the examples with the top 20 % of "
        f"{sub.axis} than on the rest.",
        **said("influential-worsen", sub.theirs, "Fig. 5", noise),
        region=Direction("greater"),
        sample=lambda r: _top(sub, r, "pruned", noise, "optimal") - _rest(sub, r, "pruned", noise, "optimal"),
        preconditions=(fits_noise(sub.bench, noise), is_sparse(sub.bench, noise)),
        unit="nats, change on the top 20 % minus change on the rest",
    )


def exceptions(sub: Subgroups) -> tuple[Claim, ...]:
    """Where Fig. 5 sees something else: little change in two networks at 60 % noise, no increase in ResNet-50."""
    noises = noisy(sub.bench)
    if sub.bench.name == "resnet50":
        return tuple(_do_not_worsen(sub, noise) for noise in noises)
    if sub.bench.name not in SATURATED or MOST_NOISE not in noises:
        return ()
    return tuple(_change_less(sub, noise) for noise in noises if noise < MOST_NOISE)


def _change_less(sub: Subgroups, than: float) -> Claim:
    tops = partial(_top, sub, arm="pruned", rule="optimal")
    return Claim(
        f"influential-change-less-than-at-{100 * than:g}",
        f"At {noise_name(MOST_NOISE)} the optimally sparse network changes the loss on the examples with the top 20 % "
        f"of {sub.axis}, which is high already in the dense network, by less than at {noise_name(than)}.",
        **said(
            "influential-change-less",
            sub.theirs,
            "Fig. 5 (little change; the comparison is proposed here)",
            MOST_NOISE,
        ),
        region=Direction("less"),
        sample=lambda r: np.abs(tops(r, noise=MOST_NOISE)) - np.abs(tops(r, noise=than)),
        preconditions=(
            fits_noise(sub.bench, than),
            *(is_sparse(sub.bench, noise) for noise in (MOST_NOISE, than)),
        ),
        unit="nats, size of the change on the top 20 %",
    )


def _do_not_worsen(sub: Subgroups, noise: float) -> Claim:
    return Claim(
        f"influential-do-not-worsen-{100 * noise:g}",
        f"At {noise_name(noise)}, the optimally sparse network fits the examples with the top 20 % of {sub.axis} no "
        "worse than the dense network does.",
        **said("influential-do-not-worsen", sub.theirs, "Fig. 5 (the exception)", noise),
        region=Direction("less", or_matches=True),
        sample=lambda r: _top(sub, r, "pruned", noise, "optimal"),
        preconditions=(fits_noise(sub.bench, noise), is_sparse(sub.bench, noise)),
        unit="nats, change on the top 20 %",
    )


def harm_comes_late(sub: Subgroups) -> Claim:
    """One level of pruning makes no more groups worse, by the paper's rule, than that rule calls worse by chance."""
    replicates = sub.bench.replicates
    return Claim(
        "harm-comes-late",
        "Without label noise, one level of pruning makes no more groups of training examples worse than the paper's "
        f"rule finds where nothing differs ({100 * by_chance(replicates):.0f} %).",
        **said("harm-comes-late", sub.theirs, "section 7 (harm only at relatively high sparsities)"),
        region=no_more_than_by_chance(replicates),
        sample=lambda r: sub.values(r, sub.at_level("pruned", 0.0, 1)),
        preconditions=(fits_clean(sub.bench),),
        unit="share of groups not harmed",
    )


def width_harms_the_same_groups(sub: Subgroups) -> Claim:
    """The groups that are fitted worse at high sparsity are fitted worse by a narrow network, too (section 7)."""

    def sample(results: Results) -> list[float]:
        last = {"pruned": sub.bench.levels, "width": sub.bench.depth("width", 0.0)}
        pruned, width = (sub.values(results, sub.at_level(arm, 0.0, last[arm])) for arm in PRUNED_AND_WIDTH)
        return [statistics.rank_correlation(one, other) for one, other in zip(pruned, width, strict=True)]

    return Claim(
        "group-harm-is-of-size",
        "Without label noise, the groups of training examples whose loss rises most at the highest sparsity are those "
        "whose loss rises most in the narrowest dense network.",
        **said("harm-is-of-size", sub.theirs, "section 7 (size in general; the measure is proposed here)"),
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits_clean(sub.bench),),
        unit="rank correlation over groups",
    )


def longer_training_fits_better(sub: Subgroups) -> Claim:
    """Extended dense training lowers the loss of influential examples, too (App. L)."""
    return Claim(
        "longer-training-fits-better",
        "Without label noise, one replay of the schedule without pruning lowers the loss on the examples with the top "
        f"20 % of {sub.axis}.",
        **said("longer-training", sub.theirs, "section 5.1 and App. L (one replay is proposed here)"),
        region=Direction("less"),
        sample=lambda r: _tops(sub, sub.values(r, sub.at_level("extended", 0.0, 1))),
        preconditions=(fits_clean(sub.bench),),
        unit="nats, extended minus dense",
    )


def _change(sub: Subgroups, results: Results, arm: Arm, noise: float, rule: Rule) -> Numbers:
    return sub.values(results, sub.at_choice(arm, noise, rule))


def _top(sub: Subgroups, results: Results, arm: Arm, noise: float, rule: Rule) -> Numbers:
    """Mean change of the top groups, nats, [replicates]."""
    return _tops(sub, _change(sub, results, arm, noise, rule))


def _rest(sub: Subgroups, results: Results, arm: Arm, noise: float, rule: Rule) -> Numbers:
    return np.asarray(_change(sub, results, arm, noise, rule)[:, : -_top_groups(sub)].mean(axis=1))


def _tops(sub: Subgroups, change: Numbers) -> Numbers:
    return np.asarray(change[:, -_top_groups(sub) :].mean(axis=1))


def _top_groups(sub: Subgroups) -> int:
    return max(1, round(TOP * sub.groups))
