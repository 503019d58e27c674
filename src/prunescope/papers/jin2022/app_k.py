"""jin2022/appK: the examples that pruning fits worse, and dense networks trained without them."""

from prunescope.papers.jin2022 import given_up, leave_out, statements
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise, is_sparse
from prunescope.papers.jin2022.subgroups import WHERE
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


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
    dispensable = [_worsened_are_dispensable(case, worsened, random) for case in cases]
    mislabeled = [given_up.mostly_mislabeled(case) for case in noisy]
    return Study(
        "jin2022/appK",
        "Are the training examples that pruning gives up harmful to generalization?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=[node for case in cases for node in (*case.nodes, *given_up.labels(case))],
        figures=(
            leave_out.figure(
                cases,
                name="app-k",
                title="Appendix K: without the examples that pruning worsens",
                caption=f"Dense networks trained without the {100 * size.left_out:g} % of the examples "
                "whose loss rises most from the dense network to the sparse one, or as many at random, in as many "
                "steps.",
            ).about(*dispensable),
            given_up.precision_figure(
                noisy,
                name="app-k-precision",
                title="Are the examples that pruning gives up first the mislabeled ones?",
            ).about(*mislabeled),
            given_up.sheet(highest, name="app-k-images"),
        ),
        cautions=(
            *statements.optima_inside(bench, "pruned", noises=size.controls),
            *statements.optima_inside(bench, "pruned", noises=size.controls, rule="highest_improving"),
        ),
        claims=(*dispensable, *mislabeled),
        notes=(
            *notes(size),
            "What exactly Appendix K leaves out is not known; this study mirrors Appendix D.",
        ),
    )


def _worsened_are_dispensable(case: LeaveOut, worsened: Keep, random: Keep) -> Claim:
    fits = fits_noise(case.bench, case.noise) if case.noise else fits_clean(case.bench)
    return Claim(
        f"worsened-are-dispensable-{100 * case.noise:g}{'' if case.rule == 'highest_improving' else '-optimal'}",
        f"At {case.panel}, leaving out the examples that pruning worsens most hurts generalization less than leaving "
        "out as many at random.",
        basis="proposed",
        place="proposed here after Jin et al. 2022, section 4 and App. K",
        region=Direction("less"),
        sample=lambda r: case.errors(r, worsened) - case.errors(r, random),
        preconditions=(fits, is_sparse(case.bench, case.noise, rule=case.rule)),
        unit=f"{POINTS} of test error, without the most worsened minus without random ones",
    )
