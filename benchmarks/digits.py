"""Question: how fast is a study of small networks?"""

from collections.abc import Callable
from dataclasses import replace

import prunescope as ps
from benchmarks.laboratory import FULL, Laboratory
from benchmarks.result import Result
from benchmarks.subprocess import ensured
from benchmarks.timing import in_turns, interleaved
from prunescope.base.state import Weights
from prunescope.base.value import Value
from prunescope.papers.jin2022.arms import Benchmark
from prunescope.runs.graph.nodes import closure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.machine.engines import engine_of
from prunescope.runs.machine.loader import fresh_weights, with_kernels
from prunescope.sparsity.select import Remaining
from prunescope.tasks.kernels.kernel_config import PLAIN
from prunescope.training.engines.engine import Engine, Loop
from prunescope.training.interventions import At, Prune
from prunescope.training.loop import Program
from prunescope.training.run import begin, train

TURNS = 2


def digits(lab: Laboratory) -> list[Result]:
    """A study of small networks on digits as `prunescope run` makes it, and ten epochs of one of them in memory.

    The runs are those of one replicate under label noise: dense, 21 pruned, 21 extended, 12 narrower networks of 60
    epochs each. `ensure` of them and of what is read of them, with one worker, on an empty store in a fresh process,
    calibration, evaluation and storing included: with `engine="loop", stack=1`, which is what all of prunescope's
    training was before there were engines, and with the engine that it chooses. In memory: training steps alone, by
    the loop and by the engine of this machine.
    """
    scale = "laptop" if lab.scale is FULL else "smoke"
    return [*_command(scale, TURNS if lab.scale is FULL else 1), *_steps(lab, scale)]


def _command(scale: str, turns: int) -> list[Result]:
    nodes = readings(bench(scale))
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


NOISE = 0.4


def bench(scale: str, *, noises: tuple[float, ...] = (NOISE,), replicates: int = 1, length: str = "") -> Benchmark:
    """Dense, pruned, extended and narrower networks on 1,297 digits."""
    full = scale == "laptop"
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(300, 100) if full else (32, 16), inputs=64)
    base = ps.Recipe(
        task=ps.Task(network=net, data=ps.Data(source=ps.digits())),
        optimizer=ps.SGD(),
        schedule=ps.Constant(lr=0.1),
        batch=64,
        length=length or ("60ep" if full else "2ep"),
    )
    levels, widths = (21, 12) if full else (2, 1)
    return Benchmark(base, noises, replicates, levels, width_levels=widths)


def readings(of: Benchmark) -> list[Value]:
    """Risks of every network, on the test and on the training set."""
    return [reading for point in of.points for reading in (point.test, point.train)]


def _steps(lab: Laboratory, scale: str) -> list[Result]:
    recipe = bench(scale).base
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


def _pruned(program: Program, sparsity: float) -> Program:
    if sparsity == 0:
        return program
    return replace(program, interventions=(Prune(amount=Remaining(fraction=sparsity), when=At(at="0it")),))


def _trains(program: Program, weights: Weights, engine: Engine) -> Callable[[], object]:
    return lambda: train(program, begin(program, weights, 0), engine=engine)
