"""jin2022/fig2: without label noise, which examples pruning fits better or worse."""

from prunescope.papers.jin2022 import fitting, subgroup_statements
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, words
from prunescope.papers.jin2022.subgroups import WHERE, Case, group_figure, subgroups
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

WORSE = ("resnet20", "vgg16")
"""The benchmarks that the paper finds fitted worse at the highest improving sparsity."""


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
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned", noises=(0.0,)),
            *(node for case in cases for node in case.nodes(sub)),
        ],
        figures=(
            group_figure(sub, cases, name="fig2", title="Figure 2: change in training loss by influence"),
        ),
        claims=(
            fitting.better_training(bench),
            subgroup_statements.every_group_improves(sub),
            subgroup_statements.influential_improve_most(sub),
            subgroup_statements.concentration_in_range(sub),
            subgroup_statements.worse_at_highest(sub, worse=size.benchmark in WORSE),
        ),
    )
