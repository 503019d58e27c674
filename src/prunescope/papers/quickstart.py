"""quickstart: What does pruning do to generalization, and is it the training or the size?

The field's question on 1,297 handwritten digits, in a few minutes: dense, pruned, extended and width-scaled networks,
with and without label noise. The settings were searched so that the dense network memorizes its noisy labels first; the
search is told in the project's LOG.
"""

from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022 import fig2, fig3, fig4, fig6, fig7
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import selected
from prunescope.papers.jin2022.figures import error_figure, fit_figure
from prunescope.papers.jin2022.quantities import optima_inside
from prunescope.papers.jin2022.settings import OPTIMUM_NOTE

FIGURE = "after Figures 1, 3, 6 and 7"
COST = {"smoke": "10 seconds", "laptop": "3 minutes"}


class Settings(ps.Value):
    """What the quickstart runs.

    noise: share of wrong training labels in the noisy half of the study.
    levels, width_levels: steps of 20 %.
    """

    hidden: tuple[int, ...] = Field(default=(300, 100), min_length=1)
    lr: float = Field(default=0.1, gt=0)
    batch: int = Field(default=64, ge=1)
    length: ps.Duration = "60ep"
    noise: float = Field(default=0.4, gt=0, lt=1)
    replicates: int = Field(default=3, ge=1)
    levels: int = Field(default=21, ge=1)
    width_levels: int = Field(default=12, ge=1)
    fraction: float = Field(default=0.2, gt=0, lt=1)


SCALES = {
    "smoke": Settings(hidden=(32, 16), length="2ep", replicates=2, levels=2, width_levels=1),
    "laptop": Settings(),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    bench, noise = _benchmark(settings), settings.noise
    claims = selected(
        [
            fig2.better_training(bench),
            *fig3.helps(bench),
            *fig3.grows(bench),
            *fig4.gives_up(bench, noise),
            *fig6.beside_pruning(bench),
            *fig7.beside_pruning(bench),
        ],
        "better-training",
        "extended-matches",
        "pruning-helps",
        "extended-is-worse",
        "noisy-loss-rises",
        "gain-grows",
        "width-is-worse",
    )
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates of a small network on 1,297 digits of 8 x 8 pixels",
        paper="The questions of Jin et al. 2022 (NeurIPS), on a task of our own; none of these numbers is the paper's.",
        figures=(error_figure(bench), fit_figure(bench, noise)),
        cautions=optima_inside(bench, "pruned", "extended", "width"),
        claims=claims,
        notes=(OPTIMUM_NOTE,),
    )


def _benchmark(settings: Settings) -> Benchmark:
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=settings.hidden, inputs=64)
    base = ps.Recipe(
        task=ps.Task(network=net, data=ps.Data(source=ps.digits())),
        optimizer=ps.SGD(),
        schedule=ps.Constant(lr=settings.lr),
        batch=settings.batch,
        length=settings.length,
    )
    return Benchmark(
        base=base,
        noises=(0.0, settings.noise),
        replicates=settings.replicates,
        levels=settings.levels,
        width_levels=settings.width_levels,
        prune=ps.Prune(amount=ps.Remaining(fraction=settings.fraction)),
    )
