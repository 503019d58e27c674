"""jin2022/appI: narrower dense networks beside pruned ones, group by group."""

from prunescope.papers.jin2022 import statements, subgroup_statements
from prunescope.papers.jin2022.arms import Arm, noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, with_noise, words
from prunescope.papers.jin2022.subgroups import Case, group_figure, subgroups
from prunescope.papers.jin2022.views import LABELS
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

ARMS: tuple[Arm, ...] = ("pruned", "width")


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = with_noise(settings.size(scale), of="controls")
    bench = arms(size)
    sub = subgroups(bench, size)
    noises = statements.noisy(bench, "width")
    cases = [Case(noise_name(noise), LABELS[arm], arm, noise, "optimal") for noise in noises for arm in ARMS]
    return Study(
        "jin2022/appI",
        "Is the regularization of pruning that of a smaller network?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned", "width", noises=noises),
            *(node for case in cases for node in case.nodes(sub)),
        ],
        figures=(
            group_figure(
                sub, cases, name="app-i", title="Appendix I: change in training loss by pruning and by width"
            ),
        ),
        cautions=statements.optima_inside(bench, "pruned", "width", noises=noises),
        claims=statements.at_each_noise(
            bench,
            lambda _, noise: subgroup_statements.influential_worsen(sub, noise, arm="width"),
            lambda _, noise: subgroup_statements.same_pattern(sub, noise),
            noises=noises,
        ),
    )
