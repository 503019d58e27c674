"""jin2022/appD: Do the training examples that pruning fits better matter for generalization?

Dense networks are trained without them.
"""

import prunescope as ps
from prunescope.papers.jin2022 import leave_out
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.quantities import both_levels_inside
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study
from prunescope.papers.jin2022.subgroups import WHERE

COST = {"smoke": "half a minute or less", "laptop": "30 minutes", "paper": "40 minutes"}
FIGURE = "Appendix D"


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale)
    improved, random = leave_out.without_share(size.left_out, "improved")
    args: dict[str, float | str | bool] = {"name": "loss", "share": size.left_out}
    hard = Keep("without those of highest loss", "dense", "without_highest", args)
    cases = [LeaveOut(bench, where, 0.0, rule, (improved, random, hard)) for rule, where in WHERE.items()]
    title = "Appendix D: without the examples that pruning improves"
    caption = (
        f"Dense networks trained without the {100 * size.left_out:g} % of the examples whose loss pruning lowers most, "
        "without as many at random, and without as many of the highest loss in the dense network itself (a control of "
        "this project: what pruning improves most is hard already), in the same number of steps."
    )
    claims = [_improved_matter(case, case.error(improved) - case.error(random)) for case in cases]
    figure = leave_out.figure(cases, "app-d", title, caption, claims)
    note = "Appendix D does this at every sparsity that pruning reaches; here it is done at two of them."
    return study(__doc__, size, scale, figure, cautions=both_levels_inside(bench, (0.0,)), more=[note])


def _improved_matter(case: LeaveOut, gap: ps.Quantity) -> ps.Claim:
    name, end, place = "improved-matter", f"-{case.rule.replace('_', '-')}", "section 3 and App. D"
    text = (
        f"Leaving out the examples that pruning improves most, {case.panel}, hurts generalization more than leaving "
        "out as many at random"
    )
    return Says(case.bench, end=end)(name, gap, MORE, text, case.judgeable, place=place)
