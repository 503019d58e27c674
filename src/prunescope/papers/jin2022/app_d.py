"""jin2022/appD: dense networks trained without the examples that pruning fits better."""

from prunescope.papers.jin2022 import leave_out, statements
from prunescope.papers.jin2022.expected import said
from prunescope.papers.jin2022.leave_out import Keep, LeaveOut
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.statements import POINTS, fits_clean, is_sparse
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
    improved = Keep("without the most improved", "gain", "without_highest", share)
    random = Keep("without as many at random", "gain", "without_random", share, drawn=True)
    cases = [LeaveOut(bench, where, 0.0, rule, (improved, random)) for rule, where in WHERE.items()]
    return Study(
        "jin2022/appD",
        "Do the training examples that pruning fits better matter for generalization?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[node for case in cases for node in case.nodes],
        figures=(
            leave_out.figure(
                cases,
                name="app-d",
                title="Appendix D: without the examples that pruning improves",
                caption=f"Dense networks trained without the {100 * size.left_out:g} % of the examples whose loss "
                "pruning lowers most, and without as many at random, in the same number of steps.",
            ),
        ),
        cautions=(
            *statements.optima_inside(bench, "pruned", noises=(0.0,)),
            *statements.optima_inside(bench, "pruned", noises=(0.0,), rule="highest_improving"),
        ),
        claims=tuple(_improved_matter(case, improved, random) for case in cases),
    )


def _improved_matter(case: LeaveOut, improved: Keep, random: Keep) -> Claim:
    return Claim(
        f"improved-matter-{case.rule.replace('_', '-')}",
        f"Leaving out the examples that pruning improves most, {case.panel}, hurts generalization more than "
        "leaving out as many at random.",
        **said("improved-matter", case.bench.name, "section 3 and App. D"),
        region=Direction("greater"),
        sample=lambda r: case.errors(r, improved) - case.errors(r, random),
        preconditions=(fits_clean(case.bench), is_sparse(case.bench, 0.0, rule=case.rule)),
        unit=f"{POINTS} of test error, without the most improved minus without random ones",
    )
