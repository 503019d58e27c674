"""jin2022/fig5: with label noise, which examples the optimally sparse network fits worse."""

from prunescope.papers.jin2022 import statements, subgroup_statements
from prunescope.papers.jin2022.arms import noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, with_noise, words
from prunescope.papers.jin2022.subgroups import Case, group_figure, subgroups
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = with_noise(settings.size(scale))
    bench = arms(size)
    sub = subgroups(bench, size)
    noises = statements.noisy(bench)
    cases = [Case("at the optimal level", noise_name(noise), "pruned", noise, "optimal") for noise in noises]
    return Study(
        "jin2022/fig5",
        "With label noise, which training examples does the optimally sparse network give up?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned", noises=noises),
            *(node for case in cases for node in case.nodes(sub)),
        ],
        figures=(
            group_figure(sub, cases, name="fig5", title="Figure 5: change in training loss by influence"),
        ),
        cautions=statements.optima_inside(bench, "pruned", noises=noises),
        claims=(
            *statements.at_each_noise(
                bench,
                lambda _, noise: subgroup_statements.influential_worsen(sub, noise),
                lambda _, noise: subgroup_statements.influential_worsen_most(sub, noise),
            ),
            *subgroup_statements.exceptions(sub),
        ),
    )
