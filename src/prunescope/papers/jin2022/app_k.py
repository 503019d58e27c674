"""jin2022/appK: Are the training examples that pruning gives up harmful to generalization?

Which examples pruning fits worse, and dense networks trained without them.
"""

from prunescope.papers.jin2022 import leave_out
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.claims import LESS, MORE, Says
from prunescope.papers.jin2022.given_up import FIRST, SHOWN, excess, first_given_up, precision_figure
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut, both_levels_inside, examples
from prunescope.papers.jin2022.quantities import is_sparse
from prunescope.papers.jin2022.settings import SCALES, Settings, arms, notes, study
from prunescope.papers.jin2022.subgroups import WHERE
from prunescope.studies import Claim, Figure, Sheet, Study

__all__ = ["SCALES", "build"]

COST = {
    "smoke": "half a minute or less on 2 cores",
    "laptop": "1 hour on 2 cores",
    "paper": "2 hours on 2 cores",
}
FIGURE = "Appendix K"


def build(settings: Settings, scale: str) -> Study:
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
    noisy = [case for case in highest if case.noise > 0]
    return study(
        __doc__,
        size,
        scale,
        figures=(
            leave_out.figure(
                cases,
                name="app-k",
                title="Appendix K: without the examples that pruning worsens",
                caption=f"Dense networks trained without the {100 * size.left_out:g} % of the examples "
                "whose loss rises most from the dense network to the sparse one, or as many at random, in as many "
                "steps.",
                claims=[_worsened_are_dispensable(case, worsened, random) for case in cases],
            ),
            precision_figure(noisy, [_first_are_mislabeled(case) for case in noisy]),
            _sheet(highest),
        ),
        cautions=both_levels_inside(bench, size.controls),
        notes=(
            *notes(size),
            "What exactly Appendix K leaves out is not known; this study mirrors Appendix D.",
        ),
    )


def _worsened_are_dispensable(case: LeaveOut, worsened: Keep, random: Keep) -> Claim:
    return Says(case.bench, case.noise)(
        f"worsened-are-dispensable-{100 * case.noise:g}{'-optimal' * (case.rule == 'optimal')}",
        case.error(worsened) - case.error(random),
        LESS,
        f"At {case.panel}, leaving out the examples that pruning worsens most hurts generalization less than leaving "
        "out as many at random",
        is_sparse(case.bench, case.noise, rule=case.rule),
        place="proposed here after Jin et al. 2022, section 4 and App. K",
        numbered=False,
    )


def _first_are_mislabeled(case: LeaveOut) -> Claim:
    return Says(case.bench, case.noise)(
        "first-given-up-are-mislabeled",
        excess(case),
        MORE,
        f"At {case.panel}, flipped labels are more frequent among the {FIRST} training examples that pruning gives up "
        "first than among all",
        is_sparse(case.bench, case.noise, rule=case.rule),
        place="proposed here after Jin et al. 2022, section 4 and App. K.1",
    )


def _sheet(cases: list[LeaveOut]) -> Figure:
    """The images given up first, one panel a noise level."""
    first = [
        case.where_sparse(
            first_given_up(
                case.panel, case.bench.row("dense", case.noise, 0)[SHOWN], examples(case.sparse[SHOWN])
            )
        )
        for case in cases
    ]
    return Figure(
        "app-k-images",
        f"The {FIRST} training images that pruning gives up first",
        caption="Training images in order of how much their loss rises from the dense network to the sparse one, first "
        "replicate, each with the label used and the sparse network's prediction. Coloured: the label was flipped by "
        "us. The others are where to look for labels that were wrong all along. Nothing is shown where no sparse "
        "network generalizes better than the dense one.",
        rows=first,
        plot=Sheet(cases[0].bench.base.task.data.source),
    )
