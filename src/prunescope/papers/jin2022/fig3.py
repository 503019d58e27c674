"""jin2022/fig3: Does pruning improve generalization under label noise, and more so the more noise there is?"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import prunescope as ps
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import MORE, NO_LESS, OF_THESE, Says
from prunescope.papers.jin2022.figures import error_figure
from prunescope.papers.jin2022.quantities import best_sparse, dense, fits, gain, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.readings import noise_name

FIGURE = "Figure 3"
COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "2 hours"}

GAIN: Mapping[tuple[str, float], float] = {("vgg16", 0.15): 5.2, ("vgg16", 0.3): 16.1, ("vgg16", 0.6): 34.6}
"""Dense test error minus that at the optimal sparsity, percentage points. Source: section 4 (Fig. 3)."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    title, claims = "Figure 3: test error over sparsity", (*helps(bench), *grows(bench), *numbers(bench))
    figure = error_figure(bench, arms=("pruned",), name="fig3", title=title, claims=claims)
    return study(__doc__, size, scale, figure, cautions=optima_inside(bench, "pruned"))


def helps(bench: Benchmark) -> Iterator[ps.Claim]:
    """With noise, the optimally sparse network generalizes better than the dense one; LeNet's at 5 % does not."""
    for noise in bench.noisy():
        text = "the optimally sparse network has a lower test error than the dense one"
        yield Says(bench, noise)("pruning-helps", gain(bench, noise), MORE, text, place="Fig. 3")
        if (bench.name, noise) in OF_THESE["dense-is-best"]:
            gap = best_sparse(bench, noise) - dense(bench, noise)
            text = "no pruned network has a lower test error than the dense one"
            yield Says(bench, noise, end="")("dense-is-best", gap, NO_LESS, text, place="Fig. 5")


def grows(bench: Benchmark) -> Iterator[ps.Claim]:
    """The gain from pruning grows with label noise."""
    gains = {noise: gain(bench, noise) for noise in bench.noises}
    says, place = Says(bench, max(gains), end=""), "section 4 and Fig. 3"
    clean, *noisy = (fits(bench, noise) for noise in gains)
    if noisy:
        text = f"Pruning gains more at {noise_name(says.noise)} than without"
        more = (gains[says.noise] - gains[0.0]).named("")
        yield says("gain-grows", more, MORE, text, place=place, fitted=(clean, noisy[-1]))
    if len(noisy) > 1:
        steps = ps.side_by_side([gains[more] - gains[less] for less, more in pairwise(gains)])
        steps = steps.named(unit="share of steps from a noise level to the next")
        levels = ", ".join(f"{100 * noise:g}" for noise in gains)
        text = f"Pruning gains more at each level of label noise than at the one below it ({levels} %)"
        yield says("gain-grows-at-each", steps, ps.Among(MORE), text, place=place, fitted=(clean, *noisy))


def numbers(bench: Benchmark) -> Iterator[ps.Claim]:
    """The published gains; met within half of the number or one point, whichever is more (proposed here)."""
    for noise in bench.noisy():
        if points := GAIN.get((bench.name, noise)):
            region = ps.Near(points, max(points / 2, 1.0))
            text = f"pruning to the optimal sparsity gains {points:g} points"
            yield Says(bench, noise)("gain-number", gain(bench, noise), region, text, place="section 4")
