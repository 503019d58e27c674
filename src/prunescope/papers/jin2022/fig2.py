"""jin2022/fig2: Without label noise, which training examples does pruning fit better, and which worse?

The examples are in groups by influence; drawn is `Subgroups.change` at two levels: Fig. 2a the optimal one, Fig. 2b the
highest that still improves on the dense network.
"""

from collections.abc import Iterator, Mapping

import prunescope as ps
from prunescope.papers.jin2022.arms import Benchmark, Rule
from prunescope.papers.jin2022.claims import LESS, MORE, NO_MORE, Range, Says, around, by_chance
from prunescope.papers.jin2022.quantities import (
    at_best,
    both_levels_inside,
    each_level,
    goes_to,
    is_sparse,
    selecting,
    train,
)
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import TOP, Subgroups, at_both_choices, group_figure, subgroups
from prunescope.studies import selection
from prunescope.studies.groups import concentration

FIGURE = "Figure 2"
COST = {"smoke": "half a minute or less", "laptop": "20 minutes", "paper": "40 minutes"}

HIGHEST: Rule = "highest_improving"
CONCENTRATION: Range = (3.5, 71.0)
"""Mean change in loss on the top 20 % of EL2N over that on the rest, at the optimum. Source: section 3 (Fig. 2a)."""
HIGHEST_IMPROVING: Mapping[str, int] = {"resnet20": 8, "vgg16": 21}
"""The last level that improves on the dense network: 83.22 and 99.08 % sparsity. Source: section 4 (Fig. 2b)."""
WORSE = ("resnet20", "vgg16")
"""The benchmarks that the paper finds fitted worse at the highest improving sparsity. Source: section 4 (Fig. 2b)."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    sub = subgroups(bench, size)
    claims = (
        better_training(bench),
        better_at_optimum(bench),
        *by_group(sub),
        *influential(sub),
        *highest_improving_level(bench),
    )
    title = "Figure 2: change in training loss by influence"
    figure = group_figure(sub, at_both_choices(), name="fig2", title=title, claims=claims)
    return study(__doc__, size, scale, figure, cautions=both_levels_inside(bench, (0.0,)))


def better_training(bench: Benchmark) -> ps.Claim:
    """Mild pruning trains better."""
    change = train(bench, "pruned", 0.0, 1) - train(bench, "dense", 0.0)
    text = "one level of pruning and retraining lowers the mean training loss"
    place = "section 4, conclusion (one level is proposed here)"
    return Says(bench)("better-training", change, LESS, text, place=place)


def better_at_optimum(bench: Benchmark) -> ps.Claim:
    """So does pruning to the optimum."""
    change = at_best(bench, "pruned", 0.0, each_level(bench, "pruned", 0.0, train)) - train(bench, "dense", 0.0)
    text, sparse = "pruning to the optimal sparsity lowers the mean training loss", is_sparse(bench, 0.0)
    return Says(bench)("better-training-at-optimum", change, LESS, text, sparse, place="sections 1 and 3, Fig. 2a")


def by_group(sub: Subgroups) -> Iterator[ps.Claim]:
    """Every group improves at the optimum; at the highest improving sparsity, it depends on the network."""
    bench, says = sub.bench, sub.says(0.0)
    sparse, still = is_sparse(bench, 0.0), is_sparse(bench, 0.0, rule=HIGHEST)
    change, at_highest = sub.change("pruned", 0.0), sub.change("pruned", 0.0, HIGHEST)

    text = "the optimally sparse network fits every group of training examples as well as the dense network or better"
    each, place = change.named("", "share of groups"), "section 3, Fig. 2a"
    among = ps.Among(NO_MORE, chance=by_chance(bench.replicates))
    yield says("every-group-improves", each, among, text, sparse, place=place)

    low, high = CONCENTRATION
    ratio = change.map(lambda rows: [concentration(row, top=TOP) for row in rows], label="", unit="ratio")
    text = (
        f"at the optimal sparsity the mean change in loss on the top 20 % of {sub.axis} is {low:g} to {high:g} times "
        "that on the rest"
    )
    within, place = around(CONCENTRATION, points=0.0), f"{place} (range over five benchmarks)"
    yield says("concentration", ratio, within, text, sparse, place=place)

    if bench.name in WORSE:
        moved = at_highest.map(lambda c: (c > 0).mean(axis=1), label="", unit="share of groups fitted worse")
        region, text = ps.Direction("greater", than=0.5), "most groups are fitted worse"
    else:
        moved, region = at_highest.map(lambda c: c.mean(axis=1), label="pruned minus dense"), LESS
        text = "the training loss is lower overall"
    text = f"at the highest sparsity that still improves on the dense network {text}"
    yield says("loss-at-highest-improving", moved, region, text, still, place="section 4, Fig. 2b")


def influential(sub: Subgroups) -> Iterator[ps.Claim]:
    """The loss changes most on influential examples: it falls at the optimum, and rises where most are fitted worse."""
    says, where = sub.says(0.0), f"on {sub.influential} than on the rest"
    text = f"at the optimal sparsity the loss falls by more {where}"
    falls, sparse, place = sub.top_minus_rest("pruned", 0.0), is_sparse(sub.bench, 0.0), "section 3, Figs 1b and 2a"
    yield says("influential-improve-most", falls, LESS, text, sparse, place=place)
    if sub.bench.name in WORSE:
        text = f"at the highest sparsity that still improves on the dense network the loss rises by more {where}"
        rises, still = sub.top_minus_rest("pruned", 0.0, HIGHEST), is_sparse(sub.bench, 0.0, rule=HIGHEST)
        yield says("influential-worsen-at-highest", rises, MORE, text, still, place="section 4, Figs 1b and 2b")


def highest_improving_level(bench: Benchmark) -> Iterator[ps.Claim]:
    """At which level pruning last improves on the dense network, for the benchmarks where it is named."""
    level = HIGHEST_IMPROVING.get(bench.name)
    if level and bench.keeps == 0.8:
        last = selecting(bench, "pruned", 0.0).map(
            lambda errors: [float(selection.highest_improving(row[:, None])) for row in errors],
            unit="level, of each replicate by itself",
        )
        sparsity = f"{100 - 100 * 0.8**level:.2f} % (level {level})"
        text = f"the highest sparsity that improves on the dense network is {sparsity}, to within a level"
        deep, place = goes_to(bench, level + 2), "section 4, Fig. 2b (the tolerance is proposed here)"
        yield Says(bench)("highest-improving-level", last, ps.Near(level, 1.0), text, deep, place=place)
