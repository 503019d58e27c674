"""Question: how fast is the quickstart?"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Result
from benchmarks.subprocess import ensured
from benchmarks.timing import in_turns, interleaved
from prunescope.base.state import Weights
from prunescope.base.value import Value
from prunescope.papers.quickstart import SCALES, build
from prunescope.runs.graph.nodes import Reading, closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.engines import engine_of
from prunescope.runs.machine.loader import fresh_weights, with_kernels
from prunescope.sparsity.select import Remaining
from prunescope.studies.publish import nodes_of
from prunescope.tasks.kernels.kernel_config import PLAIN
from prunescope.training.engines.engine import Engine
from prunescope.training.engines.loop import Loop
from prunescope.training.interventions import At, Prune
from prunescope.training.loop import Program
from prunescope.training.run import begin, train

TURNS = 2


def digits(lab: Laboratory) -> list[Result]:
    """A sixth of the quickstart's runs as `prunescope run` makes them, and ten epochs of one of them in memory.

    The runs are those of one replicate under label noise: dense, 21 pruned, 21 extended, 12 narrower networks of 60
    epochs each. `ensure` of them and of what is read of them, with one worker, on an empty store in a fresh process,
    calibration, evaluation and storing included: with `engine="loop", stack=1`, which is what all of prunescope's
    training was before there were engines, and with the engine that it chooses. In memory: training steps alone, by
    the loop and by the engine of this machine.
    """
    scale = "laptop" if lab.scale is FULL else "smoke"
    return [*_command(scale, TURNS if lab.scale is FULL else 1), *_steps(lab, scale)]


def _command(scale: str, turns: int) -> list[Result]:
    nodes = noisy_replicate(scale)
    seconds = in_turns(
        {
            "loop": lambda: ensured(nodes, engine="loop", stack=1),
            "chosen": lambda: ensured(nodes),
        },
        turns=turns,
    )
    count = sum(isinstance(node, Recipe) for node in closure(nodes).values())
    return [
        Result(f"the command, {count} runs: the plain loop", seconds["loop"], "s"),
        Result(f"the command, {count} runs: as it chooses", seconds["chosen"], "s"),
        Result(
            "the command: the plain loop : as it chooses",
            seconds["loop"] / seconds["chosen"],
            "times",
            low=1.3,
        ),
    ]


def noisy_replicate(scale: str) -> list[Value]:
    """What the quickstart reads of its first replicate under label noise."""
    settings = SCALES[scale].replace(replicates=1)
    return [
        node
        for node in nodes_of(build(settings, scale))
        if isinstance(node, Reading)
        and isinstance(node.state.run, Recipe)
        and node.state.run.task.data.label_noise == settings.noise
    ]


def _steps(lab: Laboratory, scale: str) -> list[Result]:
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
    return [
        Result("in memory: a dense step by the engine", 1e6 * seconds["dense engine"] / program.steps, "µs"),
        Result("in memory: the plain loop : the engine, dense", dense, "times"),
        Result("in memory: the plain loop : the engine, 4.4 % remaining", sparse, "times"),
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
