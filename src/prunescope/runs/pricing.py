"""What runs will cost on this machine, measured for a moment before anything runs.

Belongs here: seconds a step, seconds a pass, bytes a state. Does not belong here: scheduling.
"""

import math
import platform
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from prunescope.base.errors import PrunescopeError
from prunescope.base.reference import StateRef
from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.value import text_digest
from prunescope.runs.engines import engine_of
from prunescope.runs.graph import Reading
from prunescope.runs.placement import one_thread
from prunescope.runs.recipe import Recipe
from prunescope.runs.workbench import Workbench, fresh_weights
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.model import Model
from prunescope.training.engines.engine import Replica
from prunescope.training.interventions import Prune
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
    """Prices by kind of run: network, optimizer, batch, precision, device, engine and density.

    Kept in the store between commands.
    """

    def __init__(self, bench: Workbench) -> None:
        """Reads what was measured before."""
        self.bench, self.densities = bench, dict[str, float]()
        self.largest: dict[str, int] = {}  # weights of the largest linear layer, by network
        self.path = bench.store.root / "prices" / f"{text_digest(platform.node() + bench.device)}.json"
        known = bench.store.read_json(self.path) or {}
        self.known = {key: Price(**value) for key, value in known.items()}

    def of(self, recipe: Recipe) -> Price:
        """The price of a recipe's kind at the density that it will have, measured if it is not known.

        Between densities that are powers of 1/2 it is interpolated.
        """
        density = expected_density(recipe, self.densities)
        if density == 1 or not self._gets_cheaper(recipe):
            return self._at(recipe, 1.0)
        halvings = math.floor(-math.log2(density))
        dense, sparse = (self._at(recipe, math.ldexp(1.0, -number)) for number in (halvings, halvings + 1))
        share = 2 - math.ldexp(density, halvings + 1)

        def between(more: float, less: float) -> float:
            return more + share * (less - more)

        return Price(between(dense.step, sparse.step), between(dense.example, sparse.example), dense.state)

    def _gets_cheaper(self, recipe: Recipe) -> bool:
        """Whether it has a layer that the engine computes with its kept weights only."""
        kernels, network = self.bench.setting.kernels, recipe.task.network
        if kernels.sparse == "none":
            return False
        if network.id not in self.largest:
            try:
                modules = (
                    self.bench.models.get(network.id, lambda: Model(network)).template(train=False).modules()
                )
            except Exception:  # the user's network; `_at` meets this, too
                return False
            sizes = [layer.weight.numel() for layer in modules if isinstance(layer, nn.Linear)]
            self.largest[network.id] = max(sizes, default=0)
        return self.largest[network.id] >= kernels.least

    def _at(self, recipe: Recipe, density: float) -> Price:
        setting = self.bench.setting
        key = text_digest(
            recipe.task.network.id
            + recipe.optimizer.id
            + f"{recipe.batch} {recipe.precision} {self.bench.device} {setting.engine} {density}"
            + setting.kernels.id
        )
        if key not in self.known:
            try:
                self.known[key] = measure(self.bench, recipe, density)
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
        """Seconds that a run takes on one core, what its probes look at included."""
        price = self.of(recipe)
        clock = Clock(recipe.clock().epoch_steps, recipe.steps)
        sizes = {"train": recipe.train_examples, "test": recipe.task.data.source.test}
        looked_at = sum(len(probe.steps(clock)) * probe.examples(**sizes) for probe in probes)
        return recipe.steps * price.step + looked_at * price.example

    def reading(self, reading: Reading, recipe: Recipe) -> float:
        """Seconds that a reading takes: one pass over the larger split, of what is used of it."""
        return self.of(recipe).example * max(recipe.train_examples, recipe.task.data.source.test)

    def disk(self, recipes: Iterable[Recipe], readings: Iterable[tuple[Reading, Recipe]]) -> int:
        """Bytes that states and readings take at most: every state is counted as dense."""
        states = sum(self.of(recipe).state for recipe in recipes)
        per_example = 20
        return states + sum(per_example * recipe.task.data.source.train for _, recipe in readings)


def expected_density(recipe: Recipe, known: dict[str, float]) -> float:
    """The share of maskable weights with which a run begins, as far as recipes say it beforehand.

    Counts what `Prune` removes in the run's ancestors and before its own first step; what other interventions change,
    and what goes later, counts for nothing, so that a run is rather priced too dear. known: the shares with which runs
    end, by run; added to.
    """
    lineage = [recipe]
    while isinstance(lineage[-1].start, StateRef) and isinstance(lineage[-1].start.run, Recipe):
        lineage.append(lineage[-1].start.run)
        if lineage[-1].id in known:
            break
    density = known.get(lineage[-1].id, 1.0)
    for one in reversed(lineage[1:]):
        if one.id not in known:
            known[one.id] = _pruned(one, density, one.steps)
        density = known[one.id]
    return _pruned(recipe, density, 0)


def _pruned(recipe: Recipe, density: float, until: int) -> float:
    """The density after the prunings of a run at its positions up to `until`."""
    clock, total = Clock(recipe.clock().epoch_steps, recipe.steps), 10**6
    left = round(density * total)
    for value in recipe.interventions:
        if isinstance(value, Prune):
            events = value.events(clock)
            for number, at in enumerate(events, start=1):
                if at <= until:
                    left = value.amount.remaining_after(left, total=total, event=number, events=len(events))
    return left / total


def _masked(weights: Weights, density: float) -> Weights:
    """The weights with this share of them kept in every layer."""
    if density == 1:
        return weights
    generator = torch.Generator().manual_seed(0)
    masks = {
        name: (torch.rand(mask.shape, generator=generator) < density).to(mask.device)
        for name, mask in weights.masks.items()
    }
    params = {name: leaf * masks[name] if name in masks else leaf for name, leaf in weights.params.items()}
    return weights.replace(params=params, masks=masks)


def measure(bench: Workbench, recipe: Recipe, density: float = 1.0) -> Price:
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
        weights = _masked(fresh_weights(program.problem.model, 0, bench.device), density)
        start, engine = begin(program, weights, 0), engine_of(bench.setting)
        replica = Replica(Stepper(program), start.state, start.running, 0)
        # A GPU's recording is made in the first steps, which are left out.
        [replica] = engine.advance([replica], 1 if bench.device == "cpu" else 8)
        paces: list[float] = []
        chunk, began = 1, time.perf_counter()
        while len(paces) < 3 or (time.perf_counter() - began < CALIBRATION_SECONDS and len(paces) < 10):
            since = time.perf_counter()
            [replica] = engine.advance([replica], chunk)
            _wait(bench.device)
            paces.append((time.perf_counter() - since) / chunk)
            chunk = min(2 * chunk, 32) if len(paces) > 2 else 1
        step = statistics.median(paces)  # one stall of the machine would ruin a mean
        test = program.problem.test
        few = test.at(torch.arange(min(len(test), 1000), device=test.y.device))
        evaluate(program.problem, weights, few.at(torch.arange(1, device=test.y.device)))
        began = time.perf_counter()
        evaluate(program.problem, weights, few)
        example = (time.perf_counter() - began) / len(few)
    parts = (weights.params, weights.buffers)
    state_bytes = sum(leaf.numel() * leaf.element_size() for part in parts for leaf in part.values())
    return Price(step=step, example=example, state=state_bytes + 4096)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
