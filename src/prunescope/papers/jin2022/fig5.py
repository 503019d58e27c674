"""jin2022/fig5: With label noise, which training examples does the optimally sparse network give up?"""

from collections.abc import Iterator

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.claims import LESS, MORE, NO_MORE, SATURATED
from prunescope.papers.jin2022.quantities import fits_noise, is_sparse, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, study, with_noise
from prunescope.papers.jin2022.subgroups import WHERE, Case, Subgroups, group_figure, subgroups

__all__ = ["SCALES", "build"]

FIGURE = "Figure 5"
COST = {"smoke": "half a minute or less", "laptop": "40 minutes", "paper": "2 hours"}

MOST_NOISE = 0.6
"""The label noise at which the paper sees little change in some networks."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = with_noise(settings.size(scale))
    bench = arms(size)
    sub = subgroups(bench, size)
    figure = group_figure(
        sub,
        [Case(WHERE["optimal"], noise_name(noise), "pruned", noise, "optimal") for noise in bench.noisy()],
        name="fig5",
        title="Figure 5: change in training loss by influence",
        claims=(*worsen(sub), *exceptions(sub)),
    )
    cautions = optima_inside(bench, "pruned", noises=bench.noisy())
    return study(__doc__, size, scale, figures=(figure,), cautions=cautions)


def worsen(sub: Subgroups) -> Iterator[ps.Claim]:
    """At the optimum the loss of influential examples rises, and by more than that of the rest."""
    influential = f"the examples with the top 20 % of {sub.axis}"
    for noise in sub.bench.noisy():
        says, sparse, top = sub.says(noise), is_sparse(sub.bench, noise), sub.top("pruned", noise)
        text = f"the optimally sparse network fits {influential} worse than the full dense network does"
        yield says("influential-worsen", top, MORE, text, sparse, place="Fig. 5")

        more, row = top - sub.rest("pruned", noise), "influential-worsen"
        text = f"at the optimal sparsity the loss rises by more on {influential} than on the rest"
        yield says("influential-worsen-most", more, MORE, text, sparse, place="Fig. 5", statement=row)


def exceptions(sub: Subgroups) -> Iterator[ps.Claim]:
    """Where Fig. 5 sees something else: no increase in ResNet-50, little change in two networks at 60 % noise."""
    bench, noises = sub.bench, sub.bench.noisy()
    influential, tops = (f"the examples with the top 20 % of {sub.axis}", {n: sub.top("pruned", n) for n in noises})
    if bench.name == "resnet50":
        text = f"the optimally sparse network fits {influential} no worse than the dense network does"
        name, place = "influential-do-not-worsen", "Fig. 5 (the exception)"
        for noise, top in tops.items():
            yield sub.says(noise)(name, top, NO_MORE, text, is_sparse(bench, noise), place=place)
    if bench.name in SATURATED and MOST_NOISE in noises:
        size = {noise: top.map(np.abs, label="") for noise, top in tops.items()}
        for than in [noise for noise in noises if noise < MOST_NOISE]:
            yield sub.says(MOST_NOISE)(
                f"influential-change-less-than-at-{100 * than:g}",
                (size[MOST_NOISE] - size[than]).named("size of the change on the top 20 %"),
                LESS,
                f"At {noise_name(MOST_NOISE)} the optimally sparse network changes the loss on {influential}, which is "
                f"high already in the dense network, by less than at {noise_name(than)}",
                is_sparse(bench, MOST_NOISE),
                is_sparse(bench, than),
                place="Fig. 5 (little change; the comparison is proposed here)",
                statement="influential-change-less",
                numbered=False,
                fitted=(fits_noise(bench, than),),
            )
