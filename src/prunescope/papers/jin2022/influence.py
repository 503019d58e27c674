"""jin2022/influence: memorization and influence measured by retraining, beside what stands in for them in the paper."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from prunescope.base.value import Value
from prunescope.papers.jin2022 import influence_statements, influence_views, statements, views
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.papers.jin2022.benchmarks import Name
from prunescope.papers.jin2022.retrained import Retrained
from prunescope.papers.jin2022.sizes import PAPER, Count, Share, Size, arms, notes, words
from prunescope.papers.jin2022.subgroups import subgroups
from prunescope.studies.study import Study


class Settings(Value):
    """What is trained.

    noise: share of wrong labels beside none. models: networks trained on random subsets, for each noise level and
    replicate. left_out: share of the training examples that each of them lacks. share: of the data set's training
    examples that take part. looks: how often an example is looked at for forgetting events. Others as in `Size`.
    """

    benchmark: Name = "lenet"
    noise: Annotated[float, Field(gt=0, lt=1)] = 0.15
    replicates: Count = 3
    models: Annotated[int, Field(ge=4)] = 70
    left_out: Annotated[float, Field(gt=0, lt=1)] = 0.3
    share: Share = 1 / 12
    epochs: Count = 40
    levels: Count = 24
    ensemble: Count = 10
    groups: Annotated[int, Field(ge=5)] = 20
    looks: Count = 20


SCALES = {
    "smoke": Settings(
        benchmark="digits",
        noise=0.4,
        replicates=2,
        models=6,
        share=0.2,
        epochs=2,
        levels=1,
        ensemble=2,
        groups=5,
        looks=2,
    ),
    "laptop": Settings(),
    "paper": Settings(models=2000, share=1.0),
}


def build(settings: Settings, scale: str) -> Study:
    """The study under these settings."""
    size, bench = _size(settings), _benchmark(settings)
    sub = subgroups(bench, size)
    cases = [
        Retrained(sub, noise, models=settings.models, left_out=settings.left_out, looks=settings.looks)
        for noise in bench.noises
    ]
    return Study(
        "jin2022/influence",
        "Are the training examples whose loss pruning changes most those that networks memorize, and is EL2N a good "
        "stand-in for that?",
        settings=settings,
        scale=f"{words(size, scale)}; {settings.models} networks on {100 * (1 - settings.left_out):g} % of them",
        paper=PAPER,
        nodes=[
            *bench.nodes_of("pruned"),
            *(node for case in cases for node in case.nodes),
        ],
        figures=(
            influence_views.correlations(cases),
            influence_views.by_percentile(cases),
            influence_views.pairs(cases),
            views.error_figure(bench, arms=("pruned",), name="influence-error"),
        ),
        cautions=statements.optima_inside(bench, "pruned"),
        claims=tuple(claim for case in cases for claim in influence_statements.claims(case)),
        notes=(
            *notes(size),
            "Memorization of an example: how much more often networks are right about it when they were trained on it "
            "than when they were not (Feldman and Zhang 2020). The paper itself only approximates influence, by EL2N.",
            "Thousands of networks are usual for single pairs of a training and a test example; with as few as here "
            "only memorization is measured well, as the agreement of two halves of the networks shows.",
        ),
    )


def _size(settings: Settings) -> Size:
    noises = (0.0, settings.noise)
    return Size(
        benchmark=settings.benchmark,
        noises=noises,
        controls=noises,
        replicates=settings.replicates,
        levels=settings.levels,
        extended_levels=(1, 1),
        width_levels=1,
        epochs=settings.epochs,
        share=settings.share,
        ensemble=settings.ensemble,
        groups=settings.groups,
    )


def _benchmark(settings: Settings) -> Benchmark:
    """The dense and pruned networks alone."""
    return replace(arms(_size(settings)), extended_levels=0, width_levels=0, curves=False)
