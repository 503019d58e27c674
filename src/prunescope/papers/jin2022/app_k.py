"""jin2022/appK: the examples that pruning fits worse, and dense networks trained without them."""

from prunescope.papers.jin2022 import given_up, leave_out
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean, fits_noise, is_sparse
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
        LeaveOut(bench, noise_name(noise), noise, "highest_improving", (worsened, random))
        for noise in size.controls
    ]
    noisy = [case for case in cases if case.noise > 0]
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
                "whose loss rises most at the highest improving level, or as many at random, in as many steps.",
            ),
            given_up.precision_figure(
                noisy,
                name="app-k-precision",
                title="Are the examples that pruning gives up first the mislabeled ones?",
            ),
            given_up.sheet(cases, name="app-k-images"),
        ),
        claims=(
            *(_worsened_are_dispensable(case, worsened, random) for case in cases),
            *(given_up.mostly_mislabeled(case) for case in noisy),
        ),
        notes=("What exactly Appendix K leaves out is not known; this study mirrors Appendix D.",),
    )


def _worsened_are_dispensable(case: LeaveOut, worsened: Keep, random: Keep) -> Claim:
    fits = fits_noise(case.bench, case.noise) if case.noise else fits_clean(case.bench)
    return Claim(
        f"worsened-are-dispensable-{100 * case.noise:g}",
        f"At {case.panel}, leaving out the examples that pruning worsens most hurts generalization less than leaving "
        "out as many at random.",
        basis="proposed",
        place="proposed here after Jin et al. 2022, section 4 and App. K",
        region=Direction("less"),
        sample=lambda r: case.errors(r, worsened) - case.errors(r, random),
        preconditions=(fits, is_sparse(case.bench, case.noise, rule=case.rule)),
        unit=f"{POINTS} of test error, without the most worsened minus without random ones",
    )
