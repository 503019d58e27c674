"""jin2022/fig4: Does pruning give noisy examples up while it keeps the original ones?

The loss on original and on noisy examples over sparsity.
"""

from collections.abc import Iterator
from functools import partial

import prunescope as ps
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import LESS, MORE, NO_MORE, Range, Says, around, words
from prunescope.papers.jin2022.figures import fit_figure
from prunescope.papers.jin2022.quantities import (
    as_far_as_reached,
    at_best,
    best_fit_gap,
    each_level,
    fit_gap,
    fits,
    goes_to,
    is_sparse,
    optima_inside,
    train,
)
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study

FIGURE = "Figure 4"
COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "2 hours"}

PLACE = "section 4 and Fig. 4"
TENTH = 10.0
"""Weights remaining, percent, above which noisy examples are fitted better and below which worse by ResNet-20."""
DENSE_FIT_GAP: Range = (0.03, 0.13)
"""Training loss on noisy minus original examples, dense VGG-16 at 15 to 60 % noise, nats. Source: section 4."""
OPTIMAL_FIT_GAP: Range = (1.38, 2.97)
"""The same at the optimal sparsity. Source: section 4 (Fig. 4)."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale, about="noises")
    figures = [
        fit_figure(bench, noise, arms=("pruned",), name=f"fig4-{100 * noise:g}", claims=claims(bench, noise))
        for noise in bench.noisy()
    ]
    return study(__doc__, size, scale, *figures, cautions=optima_inside(bench, "pruned", noises=bench.noisy()))


def claims(bench: Benchmark, noise: float) -> tuple[ps.Claim, ...]:
    """All claims at a noise level."""
    return (*gives_up(bench, noise), *around_a_tenth(bench, noise), *numbers(bench, noise))


def gives_up(bench: Benchmark, noise: float) -> Iterator[ps.Claim]:
    """Noisy examples are fitted better after one level, worse than original ones at the optimum, less so at the end."""
    says, sparse, name = Says(bench, noise), is_sparse(bench, noise), "noisy_loss"
    text = "one level of pruning and retraining lowers the loss on noisy examples"
    change = train(bench, "pruned", noise, 1, name=name) - train(bench, "dense", noise, name=name)
    place, memorized = f"{PLACE} (one level is proposed here)", (fits(bench, noise, blocks=True),)
    yield says("noisy-loss-falls-first", change, LESS, text, place=place, fitted=memorized)

    losses = each_level(bench, "pruned", noise, partial(train, name="original_loss"))
    kept = at_best(bench, "pruned", noise, losses) - losses[0].named("dense")
    text = "the optimally sparse network fits the original examples as well as the dense network or better"
    yield says("original-loss-kept", kept, NO_MORE, text, sparse, place="section 1 (preserving the training loss)")

    text = (
        "the loss on noisy examples exceeds that on original ones by more at the optimal sparsity than in the dense "
        "network"
    )
    more = best_fit_gap(bench, noise) - fit_gap(bench, "dense", noise)
    yield says("noisy-loss-rises", more, MORE, text, sparse, place=PLACE)

    gaps = as_far_as_reached(each_level(bench, "pruned", noise, fit_gap))
    after = gaps.map(lambda g: g.shape[1] - 1 - g.mean(axis=0).argmax(), label="", unit="levels after the peak")
    early = ps.Precondition("the gap's peak comes before the last level", after, at_least=1)
    fall = gaps.map(lambda g: g[:, -1] - g[:, g.mean(axis=0).argmax()], label="last gap minus largest gap")
    text = (
        "the gap between the loss on noisy and on original examples is smaller at the highest sparsity than at its peak"
    )
    place = f"{PLACE} (at which sparsity is not said)"
    yield says("gap-shrinks-at-last", fall, LESS, text, early, place=place)

    true = partial(train, name="noisy_true_error", scale=100, unit="percentage points of error against true labels")
    errors = each_level(bench, "pruned", noise, true)
    fewer = at_best(bench, "pruned", noise, errors) - errors[0].named("dense")
    text = (
        "the optimally sparse network predicts the label before the flip for more of the noisy examples than the dense "
        "network"
    )
    place = "proposed here: what giving noisy examples up is good for"
    yield says("true-labels-return", fewer, LESS, text, sparse, place=place)


def around_a_tenth(bench: Benchmark, noise: float) -> Iterator[ps.Claim]:
    """ResNet-20 fits noisy examples better down to a tenth of its weights, and worse below."""
    if bench.name != "resnet20":
        return
    says, row = Says(bench, noise), "noisy-loss-around-a-tenth"
    few = next((n for n in range(bench.levels + 1) if 100 * bench.keeps**n < TENTH), bench.levels + 1)
    dense, *losses = each_level(bench, "pruned", noise, partial(train, name="noisy_loss"))
    for side, change, share, region, levels in (
        ("above", "lower", "more", LESS, losses[: few - 1]),
        ("below", "higher", "less", MORE, losses[few - 1 :]),
    ):
        changes = as_far_as_reached([loss - dense for loss in levels]).named("", "share of levels")
        text = (
            f"the training loss on noisy examples is {change} than the dense network's at every level with {share} "
            f"than {TENTH:g} % of the weights"
        )
        name, deep = f"noisy-loss-{side}-a-tenth", goes_to(bench, few, noise)
        yield says(name, changes, ps.Among(region), text, deep, place=PLACE, statement=row)


def numbers(bench: Benchmark, *noises: float) -> Iterator[ps.Claim]:
    """How much worse noisy examples are fitted than original ones, dense and at the optimum; VGG-16 only."""
    for noise in (noises or bench.noisy()) if bench.name == "vgg16" else ():
        says = Says(bench, noise)
        for where, gap, ends in (
            ("dense", fit_gap(bench, "dense", noise), DENSE_FIT_GAP),
            ("optimal", best_fit_gap(bench, noise), OPTIMAL_FIT_GAP),
        ):
            text = f"the loss on noisy examples exceeds that on original ones by {words(ends)} nats ({where} network)"
            name, region, fitted = (
                f"fit-gap-{where}",
                around(ends, points=0.0),
                fits(bench, noise, blocks=where == "dense"),
            )
            yield says(name, gap.named(""), region, text, place="section 4", statement="fit-gap", fitted=(fitted,))
