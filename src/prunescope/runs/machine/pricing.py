"""What work will cost on this machine, measured for a moment before anything runs.

Belongs here: seconds a step, seconds a pass, bytes a state, and the price of a plan. Does not belong here: the order of
work, what a place in a pack costs (`pack_sizes.py`).
"""

import math
import platform
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from prunescope.base.reference import StateRef
from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.value import text_digest
from prunescope.measures.measure import Measure
from prunescope.runs.graph.given import Given, Run
from prunescope.runs.graph.nodes import Measured, runs_of
from prunescope.runs.graph.recipe import Everything, Fresh, Recipe
from prunescope.runs.machine.devices import one_thread, seconds_worked
from prunescope.runs.machine.engines import engine_of
from prunescope.runs.machine.loader import Loader, fresh_weights
from prunescope.runs.machine.measurements import Measurements
from prunescope.runs.store.plan import Plan
from prunescope.tasks.evaluation import evaluate
from prunescope.tasks.task import Problem
from prunescope.training.engines.engine import Replica
from prunescope.training.interventions import Prune
from prunescope.training.loop import Stepper
from prunescope.training.probes import Probe
from prunescope.training.run import begin
from prunescope.training.stopping import AtEnd

CALIBRATION_SECONDS = 0.4
DEAR_SECONDS = 1.0
"""A reading that took longer is remembered."""
START_SECONDS = 4.0
"""Until worker processes have imported torch and begin, as measured on two cores."""
READING_BYTES = 20
"""Of a stored reading, for each training example, at most."""


@dataclass(frozen=True)
class Price:
    """Measured costs of one kind of run on this machine.

    step: seconds a training step.
    example: seconds an evaluated example.
    state: bytes of a dense final state.
    """

    step: float
    example: float
    state: int


FAILED = Price(step=0.0, example=0.0, state=0)
"""What is said of a network that fails while it is priced; its run meets the same failure."""
SPARSEST = 2.0**-20
"""The density whose price stands for all below it, down to a network of which nothing would be left."""


class Prices:
    """Prices by kind of run: network, optimizer, batch, precision, device, engine and density."""

    def __init__(self, loader: Loader) -> None:
        """Reads what was measured before."""
        self.loader, self.densities = loader, dict[str, float]()
        self.largest: dict[str, int] = {}  # weights of the largest linear layer, by network
        name = text_digest(f"{platform.node()} {loader.device} seconds worked")  # earlier files have the clock's
        self.measured = Measurements(loader.store, name, Price)
        self.taken = Measurements(loader.store, f"readings-{name}", ReadingPrice)

    def of(self, recipe: Run) -> Price:
        """The price of a recipe's kind at the density that it will have, measured if it is not known.

        Between densities that are powers of 1/2 it is interpolated. A given state is priced as a dense one.
        """
        if isinstance(recipe, Given):
            key = text_digest(f"{recipe.task.network.id} {self.loader.device} {self.loader.setting.kernels.id}")
            return self.measured.get(key, lambda: measure_given(self.loader, recipe), failed=FAILED)
        density = max(expected_density(recipe, self.densities), SPARSEST)
        if density == 1 or not self._gets_cheaper(recipe):
            return self._at(recipe, 1.0)
        halvings = math.floor(-math.log2(density))
        dense, sparse = (self._at(recipe, math.ldexp(1.0, -number)) for number in (halvings, halvings + 1))
        share = 2 - math.ldexp(density, halvings + 1)
        step = dense.step + share * (sparse.step - dense.step)
        return Price(step, dense.example + share * (sparse.example - dense.example), dense.state)

    def _gets_cheaper(self, recipe: Recipe) -> bool:
        """Whether a sparser network has a layer that the engine computes with its kept weights only."""
        kernels, network = self.loader.setting.kernels, recipe.task.network
        if kernels.sparse == "none":
            return False
        if network.id not in self.largest:
            try:
                modules = self.loader.model(recipe).template(train=False).modules()
            except Exception:  # the user's network; `_at` meets this, too
                return False
            sizes = [layer.weight.numel() for layer in modules if isinstance(layer, nn.Linear)]
            self.largest[network.id] = max(sizes, default=0)
        return self.largest[network.id] >= kernels.least

    def _at(self, recipe: Recipe, density: float) -> Price:
        setting = self.loader.setting
        key = text_digest(
            recipe.task.network.id
            + recipe.optimizer.id
            + f"{recipe.batch} {recipe.precision} {self.loader.device} {setting.engine} {density}"
            + setting.kernels.id
        )
        return self.measured.get(key, lambda: measure(self.loader, recipe, density), failed=FAILED)

    def run(self, recipe: Recipe, probes: Iterable[Probe] = ()) -> float:
        """Seconds that a run takes on one core, what its probes look at included."""
        price = self.of(recipe)
        clock = Clock(recipe.clock().epoch_steps, recipe.steps)
        sizes = {"train": recipe.train_examples, "test": recipe.task.data.source.test}
        probed = sum(len(probe.steps(clock)) * probe.examples(**sizes) for probe in probes)
        return recipe.steps * price.step + probed * price.example

    def reading(self, reading: Measured) -> float:
        """Seconds that a reading takes: what one like it took, or what its measure says.

        Of a choice it is that of the dearest member.
        """
        run = _dearest(reading)
        if (known := self.taken.known.get(_kind(reading))) is not None:
            return known.seconds
        sizes = run.task.data.sizes | {"train": run.train_examples}
        work = reading.of.evaluations(sizes) if isinstance(reading.of, Measure) else 2 * max(sizes.values())
        return self.of(run).example * work

    def learn(self, took: Mapping[Measured, float]) -> None:
        """Remembers what readings took that are dearer than a pass: of these nothing else tells the price."""
        dear = {_kind(reading): ReadingPrice(seconds) for reading, seconds in took.items() if seconds > DEAR_SECONDS}
        if dear:
            self.taken.add(dear)


@dataclass(frozen=True)
class ReadingPrice:
    """Seconds that a reading took."""

    seconds: float


def _kind(reading: Measured) -> str:
    """What readings have alike that cost the same."""
    task = _dearest(reading).task
    return text_digest(f"{reading.of.id} {task.network.id} {task.data.source.id} {task.data.share}")


def prices(plan: Plan, price: Prices) -> dict[str, float]:
    """Seconds of one core for every piece of work by itself, by id."""
    seconds = {key: price.run(job.recipe, job.probes) for key, job in plan.jobs.items()}
    return seconds | {key: price.reading(reading) for key, reading in plan.readings.items()}


@dataclass(frozen=True)
class Cost:
    """What a plan will cost.

    work: seconds of all work.
    longest: seconds of the longest path of work that waits for one another.
    clock: seconds on the clock, the start of worker processes included.
    disk: bytes at most; every state counts as dense.
    """

    work: float
    longest: float
    clock: float
    disk: int


def cost(plan: Plan, price: Prices, seconds: dict[str, float], *, workers: int) -> Cost:
    """The cost of a plan on `workers` processes. seconds: of each piece of work."""
    work, longest = sum(seconds.values()), max(plan.longest_paths(seconds).values(), default=0.0)
    states = sum(price.of(job.recipe).state for job in plan.jobs.values())
    readings = sum(READING_BYTES * _dearest(reading).task.data.source.train for reading in plan.readings.values())
    start = START_SECONDS if workers > 1 else 0.0
    return Cost(work, longest, start + max(longest, work / workers), states + readings)


def _dearest(reading: Measured) -> Run:
    return max(runs_of(reading), key=lambda run: 0 if isinstance(run, Given) else run.steps)


def expected_density(recipe: Recipe, known: dict[str, float]) -> float:
    """The share of maskable weights with which a run begins, as far as recipes say it beforehand.

    What `Prune` removes in the run's ancestors and before its own first step counts. What other interventions change,
    and what goes later, does not, so that a run is rather priced too dear.

    known: the shares with which runs end, by run; this function adds to it.
    """
    lineage = [recipe]
    while isinstance(lineage[-1].start, StateRef) and isinstance(lineage[-1].start.run, Recipe):
        lineage.append(lineage[-1].start.run)
        if lineage[-1].id in known:
            break
    density = known.get(lineage[-1].id, 1.0)
    for ancestor in reversed(lineage[1:]):
        if ancestor.id not in known:
            known[ancestor.id] = _density_after(ancestor, density, ancestor.steps)
        density = known[ancestor.id]
    return _density_after(recipe, density, 0)


def _density_after(recipe: Recipe, density: float, until: int) -> float:
    """The density after the prunings of a run at its positions up to `until`."""
    clock, total = Clock(recipe.clock().epoch_steps, recipe.steps), 10**6
    kept = round(density * total)
    for value in recipe.interventions:
        if isinstance(value, Prune):
            events = value.events(clock)
            for number, at in enumerate(events, start=1):
                if at <= until:
                    kept = value.amount.remaining_after(kept, total=total, event=number, events=len(events))
    return kept / total


def measure(loader: Loader, recipe: Recipe, density: float = 1.0) -> Price:
    """Trains a few steps and evaluates a few examples of a recipe's kind, for less than a second if it is small."""
    plain = recipe.replace(begin="0it", stop=AtEnd(), interventions=(), start=Fresh(), examples=Everything())
    with one_thread():
        program = loader.program(plain)
        weights = _masked(fresh_weights(program.problem.model, 0, loader.device), density)
        start, engine = begin(program, weights, 0), engine_of(loader.setting)
        replica = Replica(Stepper(program), start.state, start.running, 0)
        # A GPU's recording is made in the first steps, which are left out.
        [replica] = engine.advance([replica], 1 if loader.device == "cpu" else 8)
        paces: list[float] = []
        chunk, began = 1, seconds_worked(loader.device)
        while len(paces) < 3 or (seconds_worked(loader.device) - began < CALIBRATION_SECONDS and len(paces) < 10):
            since = seconds_worked(loader.device)
            [replica] = engine.advance([replica], chunk)
            paces.append((seconds_worked(loader.device) - since) / chunk)
            chunk = min(2 * chunk, 32) if len(paces) > 2 else 1
        step = statistics.median(paces)  # one stall of the machine would ruin a mean
        return Price(step=step, example=_example_seconds(program.problem, weights, 1000), state=_bytes(weights))


def measure_given(loader: Loader, run: Given) -> Price:
    """Evaluates a few examples of a given state's kind."""
    with one_thread():
        problem = loader.problem(run)
        weights = fresh_weights(problem.model, 0, loader.device)
        return Price(step=0.0, example=_example_seconds(problem, weights, 100), state=_bytes(weights))


def _example_seconds(problem: Problem, weights: Weights, most: int) -> float:
    test = problem.test
    few = test.at(torch.arange(min(len(test), most), device=test.y.device))
    evaluate(problem, weights, few.at(torch.arange(1, device=test.y.device)))
    began = seconds_worked(test.y.device.type)
    evaluate(problem, weights, few)
    return (seconds_worked(test.y.device.type) - began) / len(few)


def _bytes(weights: Weights) -> int:
    return 4096 + sum(leaf.nbytes for part in (weights.params, weights.buffers) for leaf in part.values())


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
