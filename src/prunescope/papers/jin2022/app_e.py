"""jin2022/appE: dense networks trained without the examples that the sparse network gets wrong."""

from prunescope.papers.jin2022 import leave_out, statements
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.papers.jin2022.statements import POINTS, fits_noise
from prunescope.studies.claim import Claim
from prunescope.studies.region import Direction, Equivalence
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

MARGIN = 1.0
"""Percentage points within which removal and pruning do the same; proposed."""

WRONG = Keep("without what it gets wrong", "sparse", "only_where", {"name": "correct", "is_true": True})
NOISY = Keep("without the noisy", "sparse", "only_where", {"name": "noisy", "is_true": False})
RANDOM = Keep(
    "without as many at random",
    "sparse",
    "as_many_at_random",
    {"name": "correct", "is_true": True},
    drawn=True,
)


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    cases = {
        noise: LeaveOut(bench, noise_name(noise), noise, "optimal", (WRONG, NOISY, RANDOM))
        for noise in size.controls
        if noise > 0
    }
    return Study(
        "jin2022/appE",
        "Does pruning generalize better because it gives up the right examples?",
        settings=size,
        scale=words(size, scale),
        paper=PAPER,
        nodes=[node for case in cases.values() for node in case.nodes],
        figures=(
            leave_out.figure(
                list(cases.values()),
                name="app-e",
                title="Appendix E: without what the optimally sparse network gets wrong",
                caption="Dense networks trained without the examples that the optimally sparse network misclassifies, "
                "without exactly the noisy ones, and without as many at random as it misclassifies, all in the same "
                "number of steps.",
            ),
        ),
        claims=statements.at_each_noise(
            bench,
            lambda _, noise: _removal_helps(cases[noise]),
            lambda _, noise: _removal_is_like_pruning(cases[noise]),
            lambda _, noise: _not_any_removal(cases[noise]),
            noises=tuple(cases),
        ),
    )


def _removal_helps(case: LeaveOut) -> Claim:
    return Claim(
        "removal-helps",
        f"At {case.panel}, a dense network trained without what the optimally sparse one gets wrong has a lower test "
        "error than one trained on everything.",
        basis="paper",
        place="Jin et al. 2022, section 4 and App. E",
        region=Direction("greater"),
        sample=lambda r: case.bench.test_errors(r, "dense", case.noise)[0] - case.errors(r, WRONG),
        preconditions=(fits_noise(case.bench, case.noise),),
        unit=f"{POINTS} of test error, dense minus retrained",
    )


def _removal_is_like_pruning(case: LeaveOut) -> Claim:
    return Claim(
        "removal-is-like-pruning",
        f"At {case.panel}, that network's test error is within {MARGIN:g} points of the optimally sparse one's.",
        basis="paper",
        place="Jin et al. 2022, section 4 and App. E (the margin is proposed here)",
        region=Equivalence(MARGIN),
        sample=lambda r: case.errors(r, WRONG) - case.bench.at_best(r, "pruned", case.noise),
        preconditions=(fits_noise(case.bench, case.noise),),
        unit=f"{POINTS} of test error, retrained minus pruned",
    )


def _not_any_removal(case: LeaveOut) -> Claim:
    return Claim(
        "not-any-removal",
        f"At {case.panel}, leaving out as many examples at random leaves a higher test error.",
        basis="proposed",
        place="proposed here: the control that the claim needs",
        region=Direction("greater"),
        sample=lambda r: case.errors(r, RANDOM) - case.errors(r, WRONG),
        preconditions=(fits_noise(case.bench, case.noise),),
        unit=f"{POINTS} of test error, random minus misclassified left out",
    )
