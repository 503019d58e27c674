"""jin2022/appL: the loss of groups of examples at every sparsity, and under extended training."""

from prunescope.papers.jin2022 import subgroup_statements
from prunescope.papers.jin2022.arms import Arm, noise_name
from prunescope.papers.jin2022.sizes import PAPER, SCALES, Settings, arms, notes, words
from prunescope.papers.jin2022.subgroups import sparsity_figure, subgroups
from prunescope.studies.study import Study

__all__ = ["SCALES", "Settings", "build"]


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size = settings.size(scale)
    bench = arms(size)
    sub = subgroups(bench, size)
    shown: tuple[Arm, ...] = ("pruned", "extended")
    noises = tuple(dict.fromkeys((0.0, max(bench.noises_of("extended")))))
    changes = [
        node
        for noise in noises
        for arm in shown
        for level in range(1, bench.depth(arm, noise) + 1)
        for node in sub.at_level(arm, noise, level)
    ]
    claims = (
        subgroup_statements.harm_comes_late(sub),
        subgroup_statements.longer_training_fits_better(sub),
    )
    return Study(
        "jin2022/appL",
        "At which sparsities does pruning fit which training examples better or worse?",
        settings=size,
        scale=words(size, scale),
        notes=notes(size),
        paper=PAPER,
        nodes=[*bench.nodes_of(*shown, noises=noises), *changes],
        figures=tuple(
            sparsity_figure(
                sub,
                noise,
                shown,
                name=f"app-l-{100 * noise:g}",
                title=f"Appendix L: change in training loss over sparsity, {noise_name(noise)}",
            ).about(*(claims if noise == 0 else ()))
            for noise in noises
        ),
        claims=claims,
    )
