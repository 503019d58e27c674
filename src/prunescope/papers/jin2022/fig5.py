"""jin2022/fig5: With label noise, which training examples does the optimally sparse network give up?"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import prunescope as ps
from prunescope.papers.jin2022.claims import LESS, MORE, NO_MORE, SATURATED
from prunescope.papers.jin2022.quantities import fits, is_sparse, optima_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import WHERE, Case, Subgroups, group_figure, subgroups
from prunescope.papers.readings import noise_name

FIGURE = "Figure 5"
COST = {"smoke": "half a minute or less", "laptop": "40 minutes", "paper": "2 hours"}

MOST_NOISE = 0.6
"""The label noise at which the paper sees little change in some networks."""


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale, about="noises")
    sub, noises = subgroups(bench, size), bench.noisy()
    cases = [Case(WHERE["optimal"], noise_name(noise), "pruned", noise) for noise in noises]
    title, claims = "Figure 5: change in training loss by influence", (*worsen(sub), *exceptions(sub))
    figure = group_figure(sub, cases, name="fig5", title=title, claims=claims)
    return study(__doc__, size, scale, figure, cautions=optima_inside(bench, "pruned", noises=noises))


def worsen(sub: Subgroups) -> Iterator[ps.Claim]:
    """At the optimum the loss of influential examples rises, and by more than that of the rest."""
    for noise in sub.bench.noisy():
        says, sparse, row = sub.says(noise), is_sparse(sub.bench, noise), "influential-worsen"
        text = f"the optimally sparse network fits {sub.influential} worse than the full dense network does"
        yield says(row, sub.top("pruned", noise), MORE, text, sparse, place="Fig. 5")
        text = f"at the optimal sparsity the loss rises by more on {sub.influential} than on the rest"
        more = sub.top_minus_rest("pruned", noise)
        yield says(f"{row}-most", more, MORE, text, sparse, place="Fig. 5", statement=row)


def exceptions(sub: Subgroups) -> Iterator[ps.Claim]:
    """Where Fig. 5 sees something else: no increase in ResNet-50, little change in two networks at 60 % noise."""
    bench, noises = sub.bench, sub.bench.noisy()
    if bench.name == "resnet50":
        text = f"the optimally sparse network fits {sub.influential} no worse than the dense network does"
        name, place = "influential-do-not-worsen", "Fig. 5 (the exception)"
        for noise in noises:
            top, sparse = sub.top("pruned", noise), is_sparse(bench, noise)
            yield sub.says(noise)(name, top, NO_MORE, text, sparse, place=place)
    if bench.name in SATURATED and MOST_NOISE in noises:
        size = {noise: sub.top("pruned", noise).map(np.abs, label="") for noise in noises}
        for than in [noise for noise in noises if noise < MOST_NOISE]:
            less = (size[MOST_NOISE] - size[than]).named("size of the change on the top 20 %")
            text = (
                f"At {noise_name(MOST_NOISE)} the optimally sparse network changes the loss on {sub.influential}, "
                f"which is high already in the dense network, by less than at {noise_name(than)}"
            )
            yield replace(sub.says(MOST_NOISE), end=f"-than-at-{100 * than:g}")(
                "influential-change-less",
                less,
                LESS,
                text,
                *(is_sparse(bench, noise) for noise in (MOST_NOISE, than)),
                place="Fig. 5 (little change; the comparison is proposed here)",
                fitted=(fits(bench, than),),
            )
