"""jin2022/appI: Is the regularization of pruning that of a smaller network?

Narrower dense networks beside pruned ones, group by group.
"""

from collections.abc import Iterator

import prunescope as ps
from prunescope.papers.jin2022.arms import LABELS, Arm
from prunescope.papers.jin2022.claims import MORE
from prunescope.papers.jin2022.quantities import is_sparse, optima_inside, rank_agreement
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import Case, Subgroups, group_figure, subgroups
from prunescope.papers.readings import noise_name

COST = {"smoke": "half a minute or less", "laptop": "1.2 hours", "paper": "2.5 hours"}
FIGURE = "Appendix I"
ARMS: tuple[Arm, ...] = ("pruned", "width")


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale, about="controls")
    sub, noises = subgroups(bench, size), bench.noisy("width")
    cases = [Case(noise_name(noise), LABELS[arm], arm, noise) for noise in noises for arm in ARMS]
    title = "Appendix I: change in training loss by pruning and by width"
    claims = [claim for noise in noises for claim in _claims(sub, noise)]
    figure = group_figure(sub, cases, name="app-i", title=title, claims=claims)
    return study(__doc__, size, scale, figure, cautions=optima_inside(bench, *ARMS, noises=noises))


def _claims(sub: Subgroups, noise: float) -> Iterator[ps.Claim]:
    says, place = sub.says(noise), "section 5.2 and App. I"
    sparse, narrower = (is_sparse(sub.bench, noise, arm=arm) for arm in ARMS)
    text = (
        f"the narrower dense network of least test error fits {sub.influential} worse than the full dense network does"
    )
    yield says("influential-worsen-width", sub.top("width", noise), MORE, text, narrower, place=place)

    pattern = rank_agreement(*(sub.change(arm, noise) for arm in ARMS), over="groups")
    text = (
        "the groups of training examples whose loss pruning to its optimum raises most are those whose loss the best "
        "narrower dense network raises most"
    )
    place = f"{place} (the measure is proposed here)"
    region = ps.CorrelationDirection("greater", ranked=sub.groups)
    yield says("same-pattern", pattern, region, text, sparse, narrower, place=place)
