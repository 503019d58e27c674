"""jin2022/appE: dense networks trained without the examples that the sparse network gets wrong."""

from dataclasses import replace

from prunescope.papers.jin2022 import leave_out, statements
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.expected import Said, said
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, with_noise, words
from prunescope.papers.jin2022.statements import POINTS, fits_noise, is_sparse
from prunescope.papers.jin2022.subgroups import WHERE
from prunescope.studies.claim import Claim, Precondition
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
    size = with_noise(settings.size(scale), of="controls")
    bench = arms(size)
    cases = [
        LeaveOut(bench, f"{noise_name(noise)}, {where}", noise, rule, (WRONG, NOISY, RANDOM))
        for noise in size.controls
        for rule, where in WHERE.items()
        if noise > 0
    ]
    noises = [case.noise for case in cases if case.rule == "optimal"]
    return Study(
        "jin2022/appE",
        "Does pruning generalize better because it gives up the right examples?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[node for case in cases for node in case.nodes],
        figures=(
            leave_out.figure(
                cases,
                name="app-e",
                title="Appendix E: without what the sparse network gets wrong",
                caption="Dense networks trained without the examples that the sparse network misclassifies, without "
                "exactly the noisy ones, and without as many at random as it misclassifies, all in the same number of "
                "steps.",
            ),
        ),
        claims=tuple(claim for case in cases for claim in _claims(case)),
        cautions=(
            *statements.optima_inside(bench, "pruned", noises=noises),
            *statements.optima_inside(bench, "pruned", noises=noises, rule="highest_improving"),
        ),
    )


def _claims(case: LeaveOut) -> tuple[Claim, ...]:
    """The claims of a case, their names with the noise level in percent, and with the rule if it is not the optimum."""
    makers = (_removal_helps, _removal_is_like_pruning, _as_good_as_without_noise, _not_any_removal)
    end = f"-{100 * case.noise:g}" + ("" if case.rule == "optimal" else "-highest-improving")
    return tuple(replace(claim, name=claim.name + end) for claim in (make(case) for make in makers))


def _said(case: LeaveOut, place: str) -> Said:
    """The paper leaves out what the optimally sparse network gets wrong; other levels are ours."""
    statement = "removal-helps" if case.rule == "optimal" else "removal-helps-at-another-level"
    return said(statement, case.bench.name, place, case.noise)


def _judgeable(case: LeaveOut) -> tuple[Precondition, ...]:
    return fits_noise(case.bench, case.noise), is_sparse(case.bench, case.noise, rule=case.rule)


def _removal_helps(case: LeaveOut) -> Claim:
    return Claim(
        "removal-helps",
        f"At {case.panel}, a dense network trained without what the sparse one gets wrong has a lower test "
        "error than one trained on everything.",
        **_said(case, "section 4 and App. E"),
        region=Direction("greater"),
        sample=lambda r: case.bench.test_errors(r, "dense", case.noise)[0] - case.errors(r, WRONG),
        preconditions=_judgeable(case),
        unit=f"{POINTS} of test error, dense minus retrained",
    )


def _removal_is_like_pruning(case: LeaveOut) -> Claim:
    return Claim(
        "removal-is-like-pruning",
        f"At {case.panel}, the test error of a dense network trained without what the sparse one gets wrong is "
        f"within {MARGIN:g} points of the optimally sparse one's.",
        **_said(case, "section 4 and App. E (the margin is proposed here)"),
        region=Equivalence(MARGIN),
        sample=lambda r: case.errors(r, WRONG) - case.bench.at_best(r, "pruned", case.noise),
        preconditions=_judgeable(case),
        unit=f"{POINTS} of test error, retrained minus pruned",
    )


def _as_good_as_without_noise(case: LeaveOut) -> Claim:
    return Claim(
        "as-good-as-without-noise",
        f"At {case.panel}, leaving out what the sparse network gets wrong does what leaving out exactly the noisy "
        f"examples does, to within {MARGIN:g} points.",
        basis="proposed",
        place="proposed here: the best that giving examples up can do",
        region=Equivalence(MARGIN),
        sample=lambda r: case.errors(r, WRONG) - case.errors(r, NOISY),
        preconditions=_judgeable(case),
        unit=f"{POINTS} of test error, without misclassified minus without noisy",
    )


def _not_any_removal(case: LeaveOut) -> Claim:
    return Claim(
        "not-any-removal",
        f"At {case.panel}, leaving out as many examples at random leaves a higher test error.",
        basis="proposed",
        place="proposed here: the control that the claim needs",
        region=Direction("greater"),
        sample=lambda r: case.errors(r, RANDOM) - case.errors(r, WRONG),
        preconditions=_judgeable(case),
        unit=f"{POINTS} of test error, random minus misclassified left out",
    )
