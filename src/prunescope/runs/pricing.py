"""What runs will cost on this machine, measured for a moment before anything runs.

Belongs here: seconds a step, seconds a pass, bytes a state. Does not belong here: scheduling.
"""

import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from prunescope.base.errors import PrunescopeError
from prunescope.base.steps import Clock
from prunescope.base.value import text_digest
from prunescope.runs.graph import Reading
from prunescope.runs.recipe import Recipe
from prunescope.runs.workbench import Workbench, fresh_weights, one_thread
from prunescope.tasks.evaluation import evaluate
from prunescope.training.loop import Stepper
from prunescope.training.probes import Probe
from prunescope.training.run import begin

CALIBRATION_SECONDS = 0.4


@dataclass(frozen=True)
class Price:
    """Measured costs of one kind of run on this machine.

    step: seconds a training step; example: seconds an evaluated example; state: bytes of a dense final state.
    """

    step: float
    example: float
    state: int


class Prices:
    """Prices by kind of run: network, optimizer, batch, precision and device. Kept in the store between commands."""

    def __init__(self, bench: Workbench) -> None:
        """Reads what was measured before."""
        self.bench = bench
        self.path = bench.store.root / "prices" / f"{text_digest(platform.node() + bench.device)}.json"
        known = bench.store.read_json(self.path) or {}
        self.known = {key: Price(**value) for key, value in known.items()}

    def of(self, recipe: Recipe) -> Price:
        """The price of a recipe's kind, measured if it is not known."""
        key = text_digest(
            recipe.task.network.id
            + recipe.optimizer.id
            + f"{recipe.batch} {recipe.precision} {self.bench.device}"
        )
        if key not in self.known:
            try:
                self.known[key] = measure(self.bench, recipe)
            except PrunescopeError:
                raise
            except (
                Exception
            ):  # the user's network: the run itself will meet this, say so, and let others go on
                return Price(step=0.0, example=0.0, state=0)
            self.bench.store.write_json(
                self.path, {name: price.__dict__ for name, price in self.known.items()}
            )
        return self.known[key]

    def run(self, recipe: Recipe, probes: Iterable[Probe] = ()) -> float:
        """Seconds that a run takes on one core, one test pass for every look of its probes included."""
        price = self.of(recipe)
        clock = Clock(recipe.clock().epoch_steps, recipe.steps)
        looks = sum(len(probe.steps(clock)) for probe in probes)
        return recipe.steps * price.step + looks * recipe.task.data.source.test * price.example

    def reading(self, reading: Reading, recipe: Recipe) -> float:
        """Seconds that a reading takes: one pass over the larger split, of what is used of it."""
        return self.of(recipe).example * max(recipe.train_examples, recipe.task.data.source.test)

    def disk(self, recipes: Iterable[Recipe], readings: Iterable[tuple[Reading, Recipe]]) -> int:
        """Bytes that states and readings take at most: every state is counted as dense."""
        states = sum(self.of(recipe).state for recipe in recipes)
        per_example = 20
        return states + sum(per_example * recipe.task.data.source.train for _, recipe in readings)


def measure(bench: Workbench, recipe: Recipe) -> Price:
    """Trains a few steps and evaluates a few examples of a recipe's kind, for less than a second if it is small."""
    plain = Recipe(
        task=recipe.task,
        optimizer=recipe.optimizer,
        schedule=recipe.schedule,
        batch=recipe.batch,
        length=recipe.length,
        precision=recipe.precision,
        seeds=recipe.seeds,
    )
    with one_thread():
        program = bench.program(plain)
        weights = fresh_weights(program.problem.model, 0, bench.device)
        state, stepper = begin(program, weights, 0).state, Stepper(program)
        state, _, _ = stepper.step(state)
        began, steps = time.perf_counter(), 0
        while steps < 2 or (time.perf_counter() - began < CALIBRATION_SECONDS and steps < 200):
            state, _, _ = stepper.step(state)
            steps += 1
        _wait(bench.device)
        step = (time.perf_counter() - began) / steps
        test = program.problem.test
        few = test.at(torch.arange(min(len(test), 1000), device=test.y.device))
        began = time.perf_counter()
        evaluate(program.problem, weights, few)
        example = (time.perf_counter() - began) / len(few)
    parts = (weights.params, weights.buffers)
    state_bytes = sum(leaf.numel() * leaf.element_size() for part in parts for leaf in part.values())
    return Price(step=step, example=example, state=state_bytes + 4096)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
