"""jin2022/fig1: pruning matches training longer, and changes the loss of influential examples most."""

from prunescope.papers.jin2022 import statements, subgroup_statements, views
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.subgroups import WHERE, Case, group_figure, subgroups
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    sub = subgroups(bench, size)
    cases = [Case(where, "pruned", "pruned", 0.0, rule) for rule, where in WHERE.items()]
    matches = statements.extended_matches_everywhere(bench, margin=statements.CLOSE)
    by_group = (
        subgroup_statements.influential_improve_most(sub),
        *subgroup_statements.influential_worsen_at_highest(sub),
    )
    return Study(
        "jin2022/fig1",
        "Is it the training or the removal of weights that improves generalization, and on which examples?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned", "extended", noises=(0.0,)),
            *(node for case in cases for node in case.nodes(sub)),
        ],
        figures=(
            views.error_figure(
                bench,
                arms=("pruned", "extended"),
                noises=(0.0,),
                name="fig1a",
                title="Figure 1a: pruned and extended dense training",
            ).about(matches),
            group_figure(
                sub, cases, name="fig1b", title="Figure 1b: change in training loss by influence"
            ).about(*by_group),
        ),
        cautions=statements.optima_inside(bench, "pruned", "extended", noises=(0.0,)),
        claims=(matches, *by_group),
    )
