"""jin2022/appE: Does pruning generalize better because it gives up the right examples?

Dense networks are trained without the examples that the sparse network gets wrong.
"""

from collections.abc import Iterator
from functools import partial

import prunescope as ps
from prunescope.papers.jin2022 import leave_out
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut, both_levels_inside
from prunescope.papers.jin2022.quantities import best, dense
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, study, with_noise
from prunescope.papers.jin2022.subgroups import WHERE

__all__ = ["SCALES", "build"]

COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "2 hours"}
FIGURE = "Appendix E"

MARGIN = 1.0
"""Percentage points within which removal and pruning do the same; proposed."""

WRONG = Keep("without what it gets wrong", "sparse", "only_where", {"name": "correct", "is_true": True})
NOISY = Keep("without the noisy", "sparse", "only_where", {"name": "noisy", "is_true": False})
RANDOM = Keep(
    "without as many at random", "sparse", "as_many_at_random", {"name": "correct", "is_true": True}, drawn=True
)


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size = with_noise(settings.size(scale), of="controls")
    bench = arms(size)
    noises = [noise for noise in size.controls if noise > 0]
    cases = [
        LeaveOut(bench, f"{noise_name(noise)}, {where}", noise, rule, (WRONG, NOISY, RANDOM))
        for noise in noises
        for rule, where in WHERE.items()
    ]
    title = "Appendix E: without what the sparse network gets wrong"
    caption = (
        "Dense networks trained without the examples that the sparse network misclassifies, without exactly the noisy "
        "ones, and without as many at random as it misclassifies, all in the same number of steps."
    )
    claims = [claim for case in cases for claim in _claims(case)]
    figure = leave_out.figure(cases, "app-e", title, caption, claims)
    return study(__doc__, size, scale, figures=(figure,), cautions=both_levels_inside(bench, noises))


def _claims(case: LeaveOut) -> Iterator[ps.Claim]:
    """The paper leaves out what the optimally sparse network gets wrong; other levels are proposed."""
    bench, noise, at_optimum = case.bench, case.noise, case.rule == "optimal"
    statement = "removal-helps" if at_optimum else "removal-helps-at-another-level"
    says = partial(Says(bench, noise), statement=statement, numbered=False)
    at, end = f"At {case.panel}", f"-{100 * noise:g}{'' if at_optimum else '-highest-improving'}"
    wrong, noisy, random = (case.error(keep) for keep in (WRONG, NOISY, RANDOM))
    same = ps.Equivalence(MARGIN)

    gap, place = dense(bench, noise) - wrong, "section 4 and App. E"
    text = (
        f"{at}, a dense network trained without what the sparse one gets wrong has a lower test error than one trained "
        "on everything"
    )
    yield says(f"removal-helps{end}", gap, MORE, text, case.judgeable, place=place)

    gap, place = wrong - best(bench, "pruned", noise), f"{place} (the margin is proposed here)"
    text = (
        f"{at}, the test error of a dense network trained without what the sparse one gets wrong is within {MARGIN:g} "
        "points of the optimally sparse one's"
    )
    yield says(f"removal-is-like-pruning{end}", gap, same, text, case.judgeable, place=place)

    place = "proposed here: the best that giving examples up can do"
    text = (
        f"{at}, leaving out what the sparse network gets wrong does what leaving out exactly the noisy examples does, "
        f"to within {MARGIN:g} points"
    )
    yield says(f"as-good-as-without-noise{end}", wrong - noisy, same, text, case.judgeable, place=place)

    place = "proposed here: the control that the claim needs"
    text = f"{at}, leaving out as many examples at random leaves a higher test error"
    yield says(f"not-any-removal{end}", random - wrong, MORE, text, case.judgeable, place=place)
