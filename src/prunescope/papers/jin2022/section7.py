"""jin2022/section7: whom pruning harms, when, and whether a smaller network harms them as well."""

from prunescope.papers.jin2022 import classes, subgroup_statements
from prunescope.papers.jin2022.arms import Arm
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.subgroups import sparsity_figure, subgroups
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]

ARMS: tuple[Arm, ...] = ("pruned", "width")


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    sub = subgroups(bench, size)
    differences = [
        node
        for arm in ARMS
        for level in range(1, bench.depth(arm, classes.NOISE) + 1)
        for node in sub.at_level(arm, classes.NOISE, level)
    ]
    by_group = (
        subgroup_statements.harm_comes_late(sub),
        subgroup_statements.width_harms_the_same_groups(sub),
    )
    by_class = (
        classes.no_class_is_harmed_early(bench),
        classes.more_classes_are_harmed_late(bench),
        classes.width_harms_the_same_classes(bench),
    )
    return Study(
        "jin2022/section7",
        "Does pruning harm some classes or groups of examples, from which sparsity on, and is it pruning or size?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[
            *bench.nodes_of(*ARMS, noises=(classes.NOISE,)),
            *classes.readings(bench, ARMS),
            *differences,
        ],
        figures=(
            classes.figure(bench, ARMS).about(*by_class),
            sparsity_figure(
                sub,
                classes.NOISE,
                ARMS,
                name="section7-groups",
                title="Section 7: change in training loss over sparsity and over width",
            ).about(*by_group),
        ),
        claims=(*by_group, *by_class),
    )
