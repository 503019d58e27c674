"""jin2022/appE: Does pruning generalize better because it gives up the right examples?

Dense networks are trained without the examples that the sparse network gets wrong.
"""

from collections.abc import Iterator, Mapping
from functools import partial

import prunescope as ps
from prunescope.papers.jin2022 import leave_out
from prunescope.papers.jin2022.claims import AS_CLOSE, MORE, SAME, Says
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.quantities import best, both_levels_inside, dense, of_dense
from prunescope.papers.jin2022.settings import SCALES, Settings, at, study

COST = {"smoke": "half a minute or less", "laptop": "1 hour", "paper": "2 hours"}
FIGURE = "Appendix E"

CORRECT: Mapping[str, str | bool] = {"name": "correct", "is_true": True}
WRONG = Keep("without what it gets wrong", "sparse", "only_where", CORRECT)
NOISY = Keep("without the noisy", "sparse", "only_where", {"name": "noisy", "is_true": False}, shared=True)
RANDOM = Keep("without as many at random", "sparse", "as_many_at_random", CORRECT, drawn=True)


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    size, bench = at(settings, scale, about="controls")
    noises = [noise for noise in size.controls if noise > 0]
    cases = leave_out.cases(bench, noises, (WRONG, NOISY, RANDOM))
    title = "Appendix E: without what the sparse network gets wrong"
    caption = (
        "Dense networks trained without the examples that the sparse network misclassifies, without exactly the noisy "
        "ones, and without as many at random as it misclassifies, all in the same number of steps."
    )
    figure = leave_out.figure(cases, "app-e", title, caption, [claim for case in cases for claim in _claims(case)])
    return study(__doc__, size, scale, figure, cautions=both_levels_inside(bench, noises))


def _claims(case: LeaveOut) -> Iterator[ps.Claim]:
    """The paper leaves out what the optimally sparse network gets wrong; other levels are proposed."""
    bench, noise, at_optimum = case.bench, case.noise, case.rule == "optimal"
    end, row = ("", "removal-helps") if at_optimum else ("-highest-improving", "removal-helps-at-another-level")
    says = partial(Says(bench, noise, at=case.panel, end=f"-{100 * noise:g}{end}"), statement=row)
    wrong, noisy, random = (case.error(keep) for keep in (WRONG, NOISY, RANDOM))
    needs = (case.judgeable, case.errs)
    left, place = "a dense network trained without what the sparse one gets wrong", "section 4 and App. E"

    text = f"{left} has a lower test error than one trained on everything"
    yield says("removal-helps", dense(bench, noise) - wrong, MORE, text, *needs, place=place)

    gap, place = wrong - best(bench, "pruned", noise), f"{place} (the margin is proposed here)"
    text = f"{left} errs as often as the optimally sparse one, {AS_CLOSE}"
    yield says("removal-is-like-pruning", of_dense(gap, bench, noise), SAME, text, *needs, place=place)

    place = "proposed here: the best that giving examples up can do"
    text = (
        "leaving out what the sparse network gets wrong does what leaving out exactly the noisy examples does, "
        + AS_CLOSE
    )
    gap = of_dense(wrong - noisy, bench, noise)
    yield says("as-good-as-without-noise", gap, SAME, text, *needs, place=place)

    text = "leaving out as many examples at random leaves a higher test error"
    place = "proposed here: the control that the claim needs"
    yield says("not-any-removal", random - wrong, MORE, text, *needs, place=place)
