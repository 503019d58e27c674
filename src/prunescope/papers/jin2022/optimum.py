"""jin2022/optimum: How much of pruning's gain comes from choosing the best of many levels on the test set?"""

from collections.abc import Iterator

import prunescope as ps
from prunescope.papers.jin2022.arms import Arm, Benchmark
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.figures import noise_figure
from prunescope.papers.jin2022.quantities import ERROR, best, best_epoch, dense, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.studies import selection

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
        "Cross-fitted: the level is chosen on one half of the test set and judged on the other, both ways. With "
        "validation=N the level, and the epoch of the dense network, are chosen on N training examples held out, "
        "whose labels are right; that needs runs of its own."
    )
    return study(__doc__, size, scale, figure, cautions=optima_inside(bench, "pruned", "extended"), more=[note])


def cross_fitted(bench: Benchmark, noise: float, arm: Arm = "pruned") -> ps.Quantity:
    """Test error of an arm at its optimum, chosen on one half of the test set and judged on the other, percent."""
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
