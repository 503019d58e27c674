"""jin2022/appK: Are the training examples that pruning gives up harmful to generalization?

Which examples pruning fits worse, and dense networks trained without them.
"""

from collections.abc import Sequence

import prunescope as ps
from prunescope.papers.jin2022 import given_up, leave_out
from prunescope.papers.jin2022.claims import LESS, Says
from prunescope.papers.jin2022.given_up import FIRST
from prunescope.papers.jin2022.leave_out import LeaveOut
from prunescope.papers.jin2022.quantities import both_levels_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study

COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "2 hours"}
FIGURE = "Appendix K"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    worsened, random = leave_out.without_share(size.left_out, "worsened")
    cases = leave_out.cases(bench, size.controls, (worsened, random))
    highest = [case for case in cases if case.rule == "highest_improving"]
    title = "Appendix K: without the examples that pruning worsens"
    caption = (
        f"Dense networks trained without the {100 * size.left_out:g} % of the examples whose loss rises most from the "
        "dense network to the sparse one, or as many at random, in as many steps."
    )
    claims = [_are_dispensable(case, case.error(worsened) - case.error(random), size.left_out) for case in cases]
    retrained = leave_out.figure(cases, "app-k", title, caption, claims)
    noisy = [case for case in highest if case.noise > 0]
    first = [given_up.precision_figure(noisy)] if noisy else []
    inside = both_levels_inside(bench, size.controls)
    note = "What exactly Appendix K leaves out is not known; this study mirrors Appendix D."
    return study(__doc__, size, scale, retrained, *first, _sheet(highest), cautions=inside, more=[note])


def _are_dispensable(case: LeaveOut, gap: ps.Quantity, share: float) -> ps.Claim:
    """Without label noise it is asked first whether pruning worsens them at all; with it Fig. 5 says so."""
    end, place = f"-{100 * case.noise:g}{'-optimal' * (case.rule == 'optimal')}", "section 4 and App. K"
    text = (
        "leaving out the examples that pruning worsens most hurts generalization less than leaving out as many at "
        "random"
    )
    says, name = Says(case.bench, case.noise, at=case.panel, end=end), "worsened-are-dispensable"
    needs, place = (case.judgeable, case.worsens(share)), f"proposed here after Jin et al. 2022, {place}"
    return says(name, gap, LESS, text, *needs[: 1 if case.noise else 2], place=place)


def _sheet(cases: Sequence[LeaveOut]) -> ps.Figure:
    """The images given up first, one panel a noise level."""
    return ps.Figure(
        "app-k-images",
        f"The {FIRST} training images that pruning gives up first",
        caption="Training images in order of how much their loss rises from the dense network to the sparse one, first "
        "replicate, each with the label used and the sparse network's prediction. Coloured: the label was flipped by "
        "us. The others are where to look for labels that were wrong all along. Nothing is shown where no sparse "
        "network generalizes better than the dense one.",
        rows=[case.where_sparse(given_up.first_given_up(case)) for case in cases],
        plot=ps.Sheet(cases[0].bench.base.task.data.source),
    )
