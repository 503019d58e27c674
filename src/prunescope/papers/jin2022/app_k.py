"""jin2022/appK: Are the training examples that pruning gives up harmful to generalization?

Which examples pruning fits worse, and dense networks trained without them.
"""

from collections.abc import Sequence

import prunescope as ps
from prunescope.papers.jin2022 import leave_out
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.claims import LESS, Says
from prunescope.papers.jin2022.given_up import FIRST, SHOWN, first_given_up, precision_figure
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut, both_levels_inside, examples
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, notes, study
from prunescope.papers.jin2022.subgroups import WHERE

__all__ = ["SCALES", "build"]

COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "2 hours"}
FIGURE = "Appendix K"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    share: dict[str, float | str | bool] = {"name": "difference", "share": size.left_out}
    worsened = Keep("without the most worsened", "gain", "without_lowest", share)
    random = Keep("without as many at random", "gain", "without_random", share, drawn=True)
    cases = [
        LeaveOut(bench, f"{noise_name(noise)}, {where}", noise, rule, (worsened, random))
        for noise in size.controls
        for rule, where in WHERE.items()
    ]
    highest = [case for case in cases if case.rule == "highest_improving"]
    title = "Appendix K: without the examples that pruning worsens"
    caption = (
        f"Dense networks trained without the {100 * size.left_out:g} % of the examples whose loss rises most from the "
        "dense network to the sparse one, or as many at random, in as many steps."
    )
    claims = [_are_dispensable(case, case.error(worsened) - case.error(random)) for case in cases]
    return study(
        __doc__,
        size,
        scale,
        figures=(
            leave_out.figure(cases, "app-k", title, caption, claims),
            precision_figure([case for case in highest if case.noise > 0]),
            _sheet(highest),
        ),
        cautions=both_levels_inside(bench, size.controls),
        notes=(*notes(size), "What exactly Appendix K leaves out is not known; this study mirrors Appendix D."),
    )


def _are_dispensable(case: LeaveOut, gap: ps.Quantity) -> ps.Claim:
    name = f"worsened-are-dispensable-{100 * case.noise:g}{'-optimal' * (case.rule == 'optimal')}"
    text = (
        f"At {case.panel}, leaving out the examples that pruning worsens most hurts generalization less than leaving "
        "out as many at random"
    )
    says, place = Says(case.bench, case.noise), "proposed here after Jin et al. 2022, section 4 and App. K"
    return says(name, gap, LESS, text, case.judgeable, place=place, numbered=False)


def _sheet(cases: Sequence[LeaveOut]) -> ps.Figure:
    """The images given up first, one panel a noise level."""
    dense = [case.bench.row("dense", case.noise, 0)[SHOWN] for case in cases]
    first = [
        case.where_sparse(first_given_up(case.panel, point, examples(case.sparse[SHOWN])))
        for case, point in zip(cases, dense, strict=True)
    ]
    return ps.Figure(
        "app-k-images",
        f"The {FIRST} training images that pruning gives up first",
        caption="Training images in order of how much their loss rises from the dense network to the sparse one, first "
        "replicate, each with the label used and the sparse network's prediction. Coloured: the label was flipped by "
        "us. The others are where to look for labels that were wrong all along. Nothing is shown where no sparse "
        "network generalizes better than the dense one.",
        rows=first,
        plot=ps.Sheet(cases[0].bench.base.task.data.source),
    )
