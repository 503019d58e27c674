"""Question: what do EL2N scores cost beside the training of the networks that they come from?"""

from collections.abc import Iterator

from benchmarks.laboratory import Laboratory, train
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.measures import EL2N
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Combined, Reading
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.results import StoredResults

MEMBERS = 10
EPOCHS = 2


def scores(lab: Laboratory) -> list[Result]:
    """Ten networks, two epochs each, scored on all training examples and averaged, against their training alone.

    Both train networks of their own in every round; storing states and readings is counted.
    """
    recipes = (run.replace(length=f"{EPOCHS}ep") for run in lab.recipes())
    seconds = interleaved(
        {
            "scored": lambda: _scored(lab, _members(recipes)),
            "trained": lambda: _trained(lab, _members(recipes)),
        },
        rounds=max(1, lab.scale.rounds // 2),
    )
    return [
        Result(f"training {MEMBERS} networks for {EPOCHS} epochs", seconds["trained"], "s"),
        Result("training and scoring : training", seconds["scored"] / seconds["trained"], "times", high=1.15),
    ]


def _members(recipes: Iterator[Recipe]) -> list[Recipe]:
    return [next(recipes) for _ in range(MEMBERS)]


def _trained(lab: Laboratory, runs: list[Recipe]) -> None:
    for run in runs:
        train(lab.bench, run)


def _scored(lab: Laboratory, runs: list[Recipe]) -> None:
    readings = [Reading(measure=EL2N(), state=final(run)) for run in runs]
    for run, reading in zip(runs, readings, strict=True):
        train(lab.bench, run)
        lab.bench.read(reading)
    mean = Combined(function="prunescope.measures.combine:mean", inputs=tuple(readings))
    StoredResults(lab.bench.store)[mean]
