"""jin2022/resnet20-preview: Does the pruning chain of ResNet-20 on CIFAR-10 run, and where does its test error go?

It shows that the paper's second benchmark runs from data to report on one core, on a twentieth of CIFAR-10 without
label noise. It is no reproduction: 30 epochs of 2,560 images are under 1 % of the paper's steps a level, and every
claim that needs a trained network says so.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from pydantic import Field

import prunescope as ps
from prunescope.papers.jin2022 import PAPERS
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.claims import LESS, MORE
from prunescope.papers.jin2022.fig2 import better_training
from prunescope.papers.jin2022.figures import error_figure, over_sparsity
from prunescope.papers.jin2022.quantities import dense, fits, over_levels, remaining, test_error, train
from prunescope.papers.jin2022.scales import COLUMNS

COST = {"smoke": "half a minute on 1 core", "laptop": "40 minutes on 1 core", "paper": "2 weeks on 1 core"}
FIGURE = "the chain of Figures 2b and 3, the benchmark ResNet-20 on CIFAR-10, much shortened"

COLUMN = COLUMNS["resnet20"]
STEPS = 391 * 160
"""Steps a level in the paper: 160 epochs of 50,000 images in batches of 128."""
IMAGES = 50_000
PAPER_LEVELS = 8
"""Levels to the paper's 83.22 % sparsity."""


class Settings(ps.Value):
    """What the preview runs.

    replicates: chains of pruning, each with its own seed.
    levels: pruning steps; 8 reach 83.22 % sparsity, the highest at which the paper's ResNet-20 still improves.
    epochs: length of every level, the paper's full schedule shrunk to it with its drops and rewind.
    images: how many of CIFAR-10's training images.
    scale: factor on every width; 1 is the paper's.
    """

    replicates: int = Field(default=1, ge=1)
    levels: int = Field(default=8, ge=1)
    epochs: int = Field(default=30, ge=1)
    images: int = Field(default=2560, ge=128, le=IMAGES)
    scale: float = Field(default=1.0, gt=0, le=1)


SCALES = {
    "smoke": Settings(levels=1, epochs=2, images=512, scale=0.25),
    "laptop": Settings(),
    "paper": Settings(replicates=3, levels=12, epochs=160, images=IMAGES),
}


def build(settings: Settings, scale: str) -> ps.Study:
    """The study under these settings.

    Raises DataError if CIFAR-10 is not there.
    """
    base = COLUMN.recipe(epochs=settings.epochs, share=settings.images / IMAGES)
    bench = Benchmark(
        name="resnet20",
        base=base if settings.scale == 1 else ps.with_network(base, scale=settings.scale),
        noises=(0.0,),
        replicates=settings.replicates,
        levels=settings.levels,
        extended_levels=0,
        rewind=COLUMN.at(COLUMN.rewind, settings.epochs),
        prune=COLUMN.prune,
        fits=COLUMN.fits,
    )
    higher, lower = _at_last(bench)
    return ps.Study(
        *ps.titled(__doc__),
        settings=settings,
        scale=f"{scale}: {settings.replicates} replicates, {settings.levels} levels of {settings.epochs} epochs on "
        f"{settings.images:,} images; the paper has 160 epochs on 50,000",
        paper=PAPERS["jin2022"],
        rule=ps.OneStandardDeviation(),
        figures=(
            error_figure(bench, arms=("pruned",), claims=(lower,)),
            _loss_figure(bench, (better_training(bench), higher)),
        ),
        notes=(
            "A preview: a network that was trained for so few steps does not fit its training set, so that what "
            "pruning does here says little about what it does to a trained one.",
        ),
    )


def _loss_figure(bench: Benchmark, claims: tuple[ps.Claim, ...]) -> ps.Figure:
    errors = partial(train, name="error", scale=100)
    values = {
        "weights_remaining": over_levels(bench, "pruned", 0.0, remaining),
        "train_loss": over_levels(bench, "pruned", 0.0, train),
        "train_error": over_levels(bench, "pruned", 0.0, errors),
    }
    return ps.Figure(
        "train-loss",
        "Training loss over sparsity",
        caption="Mean training loss, evaluation mode, no augmentation.",
        rows=[ps.Rows({"arm": "pruned"}, values, parts={"level": bench.levels_of("pruned", 0.0)})],
        plot=over_sparsity("train_loss", "mean training loss, nats"),
        claims=claims,
    )


def _at_last(bench: Benchmark) -> Iterator[ps.Claim]:
    """At the paper's highest improving sparsity the training loss is higher and the test error still lower."""
    steps, text = ps.constant(bench.base.steps, unit="steps"), "a level trains for as many steps as in the paper"
    shared: dict[str, Any] = {
        "basis": "paper" if bench.levels == PAPER_LEVELS else "proposed",
        "place": "Jin et al. 2022, section 4, Fig. 2b (ResNet-20 at 83.22 % sparsity)",
        "preconditions": (ps.Precondition(text, steps, at_least=STEPS), fits(bench, 0.0)),
    }
    loss = train(bench, "pruned", 0.0, bench.levels) - train(bench, "dense", 0.0)
    text = f"After {bench.levels} levels of pruning the mean training loss is above the dense network's."
    yield ps.Claim("loss-rises-at-high-sparsity", text, loss, MORE, **shared)
    error = test_error(bench, "pruned", 0.0, bench.levels) - dense(bench, 0.0)
    text = f"After {bench.levels} levels of pruning the test error is still below the dense network's."
    yield ps.Claim("error-falls-at-high-sparsity", text, error, LESS, **shared)
