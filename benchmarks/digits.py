"""Question: how fast is the quickstart's training?

Belongs here: the smallest real networks, whose steps are mostly overhead. Does not belong here: MNIST (`epochs.py`).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.row import Row
from benchmarks.timing import interleaved
from prunescope.base.state import Weights
from prunescope.papers.quickstart import SCALES, build
from prunescope.runs.engines import engine_of
from prunescope.runs.graph import closure
from prunescope.runs.recipe import Recipe
from prunescope.runs.workbench import fresh_weights, with_kernels
from prunescope.sparsity.select import Remaining
from prunescope.studies.publish import nodes_of
from prunescope.tasks.kernels.choice import PLAIN
from prunescope.training.engines.engine import Engine
from prunescope.training.engines.loop import Loop
from prunescope.training.interventions import At, Prune
from prunescope.training.loop import Program
from prunescope.training.run import begin, train


def digits(lab: Laboratory) -> list[Row]:
    """A level of the quickstart (300-100 on 1,297 digits, batch 64), in memory, by the engine and by the plain loop.

    The plain loop is what all of prunescope's training was before there were engines.
    """
    scale = "laptop" if lab.scale is FULL else "smoke"
    recipe = next(_recipes(scale))
    program = lab.bench.program(recipe)
    program = replace(
        program,
        clock=replace(program.clock, total=(10 if lab.scale is FULL else 1) * program.clock.epoch_steps),
    )
    weights = fresh_weights(program.problem.model, 0)
    contestants: dict[str, Callable[[], object]] = {}
    for name, sparsity in (("dense", 0.0), ("sparse", 1 - 0.8**14)):
        pruned = _pruned(program, sparsity)
        contestants[f"{name} loop"] = _trains(with_kernels(pruned, PLAIN), weights, Loop())
        contestants[f"{name} engine"] = _trains(pruned, weights, engine_of(lab.bench.setting))
    seconds = interleaved(contestants, rounds=lab.scale.rounds)
    dense = seconds["dense loop"] / seconds["dense engine"]
    sparse = seconds["sparse loop"] / seconds["sparse engine"]
    steps = program.steps
    return [
        Row("a dense step by the engine", 1e6 * seconds["dense engine"] / steps, "µs"),
        Row("the plain loop : the engine, dense", dense, "times", low=1.3),
        Row("the plain loop : the engine, 4.4 % remaining", sparse, "times", low=1.3),
    ]


def _recipes(scale: str) -> Iterator[Recipe]:
    nodes = closure(nodes_of(build(SCALES[scale], scale))).values()
    return (node for node in nodes if isinstance(node, Recipe))


def _pruned(program: Program, sparsity: float) -> Program:
    if sparsity == 0:
        return program
    return replace(program, interventions=(Prune(amount=Remaining(fraction=sparsity), when=At(at="0it")),))


def _trains(program: Program, weights: Weights, engine: Engine) -> Callable[[], object]:
    return lambda: train(program, begin(program, weights, 0), engine=engine)
