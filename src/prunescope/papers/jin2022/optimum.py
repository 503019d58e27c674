"""jin2022/optimum: How much of pruning's gain comes from choosing the best of many levels on the test set?"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import prunescope as ps
from prunescope.papers.jin2022 import fig3, fig6, fig7
from prunescope.papers.jin2022.arms import Arm, Benchmark
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.figures import noise_figure, over_sparsity
from prunescope.papers.jin2022.quantities import ERROR, best, best_epoch, dense, optima_inside, remaining
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.readings import noise_name
from prunescope.studies import selection
from prunescope.studies.judging import judge
from prunescope.studies.statistics import Interval

COST = {"smoke": "half a minute or less", "laptop": "2 hours", "paper": "4 hours"}
FIGURE = "beside Figures 3 and 6; not in the paper"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    figure = noise_figure(
        "optimum",
        "Test error by the way in which the optimum is chosen",
        "Choosing the best of many levels on the test set flatters whoever has many levels. Beside it the same choice "
        "on other examples than those that judge it, and a dense network with as many chances.",
        [(way, noise, error) for noise in bench.noises for way, error in ways(bench, noise).items()],
        series="way",
        y="test_error",
        y_label="test error, %",
        claims=_claims(bench),
    )
    note = (
        "Cross-fitted: the level is chosen on one half of the test set by the other replicates, and judged on the "
        "other half by the replicate that had no part in it, both ways. With "
        "validation=N the level, and the epoch of the dense network, are chosen on N training examples held out, "
        "whose labels are right; that needs runs of its own."
    )
    cautions = optima_inside(bench, "pruned", "extended")
    deeper = [by_depth(bench)] if bench.noisy() and bench.levels > 1 else []
    return study(__doc__, size, scale, figure, *deeper, cautions=cautions, more=[note])


def cross_fitted(bench: Benchmark, noise: float, arm: Arm = "pruned") -> ps.Quantity:
    """Test error of an arm at its optimum, percent, chosen by other test examples and replicates than judge it."""
    even, odd = (
        ps.side_by_side([ps.column([p.halves for p in row], name, scale=100) for row in bench.chain(arm, noise)])
        for name in ("even_error", "odd_error")
    )
    return ps.combined(lambda *halves: selection.cross_fitted(*(h.T for h in halves)), even, odd, label=arm, unit=ERROR)


def equal_chances(bench: Benchmark, noise: float) -> ps.Quantity:
    """The dense network at the best of its last n epochs, n the number of levels that pruning chooses among."""
    return best_epoch(bench, noise, among=bench.levels + 1)


def ways(bench: Benchmark, noise: float) -> dict[str, ps.Quantity]:
    """The test error by every way to choose at a noise level."""
    on = "held-out examples" if bench.base.task.data.validation else "the test set"
    errors = {
        "dense": dense(bench, noise),
        f"dense, best of its last {bench.levels + 1} epochs": equal_chances(bench, noise),
        f"pruned, chosen on {on}": best(bench, "pruned", noise),
        "pruned, cross-fitted": cross_fitted(bench, noise),
    }
    if bench.depth("extended", noise):
        errors["extended, cross-fitted"] = cross_fitted(bench, noise, "extended")
    return errors


def by_depth(bench: Benchmark) -> ps.Figure:
    """What becomes of claims on each arm's best if all chains end at a level: how deep to prune is a choice, too."""

    def row(claim: ps.Claim, x: ps.Quantity, results: ps.Results) -> list[ps.Row]:
        verdict = judge(claim, results)
        numbers = verdict.interval or Interval(math.nan, math.nan, math.nan, math.nan)
        ends = {"gap": numbers.estimate, "low": numbers.low, "high": numbers.high}
        return [{"weights_remaining": float(x(results).mean()), **ends, "verdict": verdict.interval_rule}]

    rows: list[ps.Computed] = []
    for last in range(2, bench.levels + 1):
        for noise, claim in _at_best(_cut(bench, last)):
            labels = {"panel": noise_name(noise), "claim": claim.name, "level": last}
            x = remaining(bench, "pruned", noise, last)
            rows.append(ps.Computed((*claim.nodes, *x.nodes), partial(row, claim, x), labels))
    return ps.Figure(
        "depth",
        "Verdicts by the depth of the chains",
        caption="The gaps that claims are about, each arm at its best, if pruning and its controls had ended where so "
        "many weights remain. The paper's number of levels is not known, and with label noise the optimum may lie "
        "deeper than a chain goes. The data hold 95 % intervals and verdicts.",
        rows=rows,
        plot=over_sparsity("gap", "percentage points", series="claim"),
    )


def _cut(bench: Benchmark, last: int) -> Benchmark:
    """The same benchmark with no arm beyond a level."""
    extended, width = (
        {noise: min(last, bench.depth(arm, noise)) for noise in bench.noises} for arm in ("extended", "width")
    )
    return replace(bench, levels=last, extended_levels=extended, width_levels=width)


def _at_best(bench: Benchmark) -> Iterator[tuple[float, ps.Claim]]:
    """The claims that compare an arm at its best with pruning at its best, in percentage points."""
    shown = {"pruning-helps", "extended-is-worse", "extended-gap-best", "extended-gap-equal"}
    shown |= {"width-is-worse", "width-gap"}
    every = [*fig3.helps(bench), *fig6.beside_pruning(bench), *fig6.numbers(bench)]
    every += [*fig7.beside_pruning(bench), *fig7.numbers(bench)]
    for claim, noise in product(every, bench.noisy()):
        if (name := claim.name.removesuffix(f"-{100 * noise:g}")) in shown:
            yield noise, replace(claim, name=name)


def _claims(bench: Benchmark) -> Iterator[ps.Claim]:
    for noise in bench.noisy():
        says, place = Says(bench, noise), "proposed here: Jin et al. 2022, Fig. 3, {}"
        fair = dense(bench, noise) - cross_fitted(bench, noise)
        unbiased = place.format("without the bias of its choice")
        text = (
            "pruning at a level chosen on other test examples than those that judge it has a lower test error than the "
            "dense network"
        )
        yield says("gain-survives-cross-fitting", fair, MORE, text, place=unbiased)

        fair = equal_chances(bench, noise) - best(bench, "pruned", noise)
        text = "pruning at its best level has a lower test error than the dense network at the best of as many epochs"
        same = place.format("with the same chances for the dense network")
        yield says("gain-survives-equal-chances", fair, MORE, text, place=same)
