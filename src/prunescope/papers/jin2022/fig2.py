"""jin2022/fig2: without label noise, which examples pruning fits better or worse."""

from prunescope.papers.jin2022 import fitting, sparsities, statements, subgroup_statements
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
    return Study(
        "jin2022/fig2",
        "Without label noise, which training examples does pruning fit better, and which worse?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned", noises=(0.0,)),
            *(node for case in cases for node in case.nodes(sub)),
        ],
        figures=(
            group_figure(sub, cases, name="fig2", title="Figure 2: change in training loss by influence"),
        ),
        cautions=(
            *statements.optima_inside(bench, "pruned", noises=(0.0,)),
            *statements.optima_inside(bench, "pruned", noises=(0.0,), rule="highest_improving"),
        ),
        claims=(
            fitting.better_training(bench),
            subgroup_statements.every_group_improves(sub),
            subgroup_statements.influential_improve_most(sub),
            subgroup_statements.concentration_in_range(sub),
            subgroup_statements.loss_at_highest(sub),
            *subgroup_statements.influential_worsen_at_highest(sub),
            *sparsities.highest_improving(bench),
        ),
    )
