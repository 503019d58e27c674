"""jin2022/lenet-preview: Does pruning LeNet-300-100 generalize better by training longer, or by giving up noisy
examples?

LeNet-300-100 on MNIST, dense, pruned and extended, with and without label noise: the first column of the paper at full
training length, 40 epochs a level, because at 10 epochs noisy labels are not yet fitted (3 % of them against 65 % at
40).
"""

from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS, fig2, fig3, fig4, fig6
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import selected
from prunescope.papers.jin2022.figures import epochs_figure, error_figure, fit_figure
from prunescope.papers.jin2022.quantities import optima_inside
from prunescope.papers.jin2022.scales import COLUMNS
from prunescope.papers.jin2022.settings import OPTIMUM_NOTE

COST = {"smoke": "20 seconds", "laptop": "1 hour", "paper": "2.5 hours"}
FIGURE = "Figures 1, 3 and 6, the benchmark LeNet-300-100 on MNIST"


class Settings(ps.Value):
    """What the preview runs.

    noise: share of wrong training labels, beside none.
    replicates: runs of each arm, each with its own seed.
    levels: pruning steps.
    extended_levels: replays of extended training, which changes little after the first few.
    epochs: length of every level.
    share: part of MNIST's training images.
    """

    noise: float = Field(default=0.15, gt=0, lt=1)
    replicates: int = Field(default=3, ge=1)
    levels: int = Field(default=18, ge=1)
    extended_levels: int = Field(default=12, ge=1)
    epochs: int = Field(default=40, ge=1)
    share: float = Field(default=1.0, gt=0, le=1)


SCALES = {
    "smoke": Settings(replicates=2, levels=2, extended_levels=2, epochs=1, share=0.02),
    "laptop": Settings(),
    "paper": Settings(levels=24, extended_levels=24),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings."""
    noise = settings.noise
    bench = Benchmark(
        name="lenet",
        base=COLUMNS["lenet"].recipe(epochs=settings.epochs, share=settings.share),
        noises=(0.0, noise),
        replicates=settings.replicates,
        levels=settings.levels,
        extended_levels=settings.extended_levels,
        prune=COLUMNS["lenet"].prune,
    )
    about_errors = (*fig6.beside_pruning(bench), *fig3.helps(bench), *fig3.grows(bench))
    names = ("extended-matches", "pruning-helps", "extended-is-worse", "gain-grows")
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates, {settings.epochs} epochs a level, {settings.levels} levels "
        f"of pruning, {settings.extended_levels} of extended training",
        paper=PAPERS["jin2022"],
        rule=ps.OneStandardDeviation(),
        figures=(
            error_figure(bench, claims=selected(about_errors, *names)),
            fit_figure(bench, noise, claims=selected(fig4.gives_up(bench, noise), "noisy-loss-rises")),
            epochs_figure(bench),
        ),
        cautions=optima_inside(bench, "pruned", "extended"),
        claims=(fig2.better_training(bench),),
        notes=(
            OPTIMUM_NOTE,
            "The number of levels, the noise level of 15 % for LeNet and the margin of the equivalence claim are "
            "proposed here; the paper's text does not state them.",
        ),
    )
