"""Recipes in memory: data, networks and states on this machine's device, each loaded once.

Belongs here: from a recipe to everything that its training needs. Does not belong here: training, storing
(`execution/workbench.py`).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

import torch

from prunescope.base.blame import blaming
from prunescope.base.errors import CodeChanged, PrunescopeError, StoreError, UsageError
from prunescope.base.reference import StateRef
from prunescope.base.state import Weights
from prunescope.base.steps import Clock
from prunescope.base.value import text_digest
from prunescope.runs.graph.given import Given, Run
from prunescope.runs.graph.recipe import Fresh, Recipe, Subset
from prunescope.runs.machine.devices import make_current, weights_on
from prunescope.runs.machine.engines import LOOP, EngineSetting
from prunescope.runs.store.results import StoredResults
from prunescope.runs.store.store import Store
from prunescope.tasks.data.source import Arrays
from prunescope.tasks.kernels.kernel_config import Kernels
from prunescope.tasks.model import Model
from prunescope.tasks.task import Problem
from prunescope.training.last_batch import check_last_batch
from prunescope.training.loop import Program
from prunescope.training.progress import Progress
from prunescope.training.run import begin

T = TypeVar("T")


class LRU(Generic[T]):
    """At most `size` values by key; the one that was not used for longest goes first."""

    def __init__(self, size: int) -> None:
        """Starts empty."""
        self.size = size
        self.values: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value under `key`, made if it is not kept."""
        if key not in self.values:
            self.values[key] = make()
            if len(self.values) > self.size:
                self.values.popitem(last=False)
        self.values.move_to_end(key)
        return self.values[key]


FINGERPRINTED = 8
"""Examples of which a network's outputs are kept; normalization over fewer magnifies rounding."""
_COMPARED = {"prunable": "prunable tensors", "frozen": "frozen tensors", "evaluating": "layers in evaluation mode"}


class Loader:
    """Loads what runs need, and keeps the most recently used of it."""

    def __init__(self, store: Store, *, device: str = "cpu", setting: EngineSetting = LOOP) -> None:
        """Makes a GPU the current one. setting: how new runs are trained."""
        make_current(device)
        self.store, self.device, self.setting = store, device, setting.on(device)
        self.arrays: LRU[Arrays] = LRU(2)
        self.device_arrays: LRU[Arrays] = LRU(2)  # once for all label seeds and runs
        self.models: LRU[Model] = LRU(8)
        self.problems: LRU[Problem] = LRU(4)
        self.states: LRU[Weights] = LRU(16)

    def model(self, recipe: Run) -> Model:
        """The recipe's network as pure functions."""
        network, source = recipe.task.network, recipe.task.data.source

        def build() -> Model:
            inputs = self.arrays.get(source.id, source.load).test_x
            example = inputs.take(torch.arange(min(2, source.test)))
            with blaming(f"building {network.path}", always=True):
                return Model(network, example)

        return self.models.get(network.id + source.id, build)

    def problem(self, recipe: Run) -> Problem:
        """The recipe's task in memory, on the device, restricted to its subset.

        Raises CodeChanged when the network's code no longer computes what it did, DataError for missing data.
        """
        seeds = recipe.seeds.replace(init=0, order=0, mask=0)
        key = text_digest(recipe.task.id + seeds.id + recipe.examples.id)
        return self.problems.get(key, lambda: self._load_problem(recipe))

    def _load_problem(self, recipe: Run) -> Problem:
        source = recipe.task.data.source
        arrays = self.arrays.get(source.id, source.load)
        problem = recipe.task.load(recipe.seeds, arrays, model=self.model(recipe))
        check_code(self.store, recipe, problem)
        if isinstance(recipe.examples, Subset):
            rows = torch.from_numpy(StoredResults(self.store).rows(recipe.examples))
            if rows[0] < 0 or rows[-1] >= len(problem.train):
                raise UsageError(
                    f"the subset rule {recipe.examples.rule} picks rows {rows[0]} to {rows[-1]} of a training split "
                    f"of {len(problem.train)}; return row numbers from 0"
                )
            problem = problem.restricted(rows)
        on_device = None
        if self.device != "cpu":
            on_device = self.device_arrays.get(source.id, lambda: arrays.inputs_on(self.device))
        return replace(problem.to(self.device, on_device), kernels=self.setting.kernels)

    def weights(self, state: StateRef) -> Weights:
        """A stored state, on the device. Raises StoreError for a given one that is no longer what was given."""
        run, moment = StoredResults(self.store).run(state.run), state.moment.id

        def load() -> Weights:
            weights = self.store.weights(run.id, moment)
            if isinstance(run, Given) and weights.digest != run.tensors:
                path = self.store.where(self.store.state_key(run.id, moment))
                raise StoreError(f"{path} does not hold the state that was given; delete it and give the state again")
            return weights_on(weights, self.device)

        return self.states.get(run.id + moment, load)

    def program(self, recipe: Recipe) -> Program:
        """Everything fixed that the training of the recipe needs."""
        problem = self.problem(recipe)
        clock = recipe.clock(len(problem.train))
        check_last_batch(problem, batch=recipe.batch, drop_last=recipe.drop_last)
        states = [ref for value in recipe.interventions for ref in value.references if isinstance(ref, StateRef)]
        return Program(
            problem=problem,
            optimizer=recipe.optimizer.bound(problem.model.parameters),
            schedule=recipe.schedule,
            clock=clock,
            batch=recipe.batch,
            stop=recipe.stop,
            seeds=recipe.seeds,
            begin=clock.steps(recipe.begin),
            precision=recipe.precision,
            interventions=recipe.interventions,
            references={ref.id: self.weights(ref) for ref in states},
            drop_last=recipe.drop_last,
            sampler=recipe.sampler,
        )

    def start(self, recipe: Recipe, program: Program) -> Progress:
        """The recipe's progress before its first step."""
        if isinstance(recipe.start, Fresh):
            return begin(program, fresh_weights(program.problem.model, recipe.seeds.init, self.device), 0)
        parent = StoredResults(self.store).run(recipe.start.run)
        manifest = self.store.manifest(parent.id)
        if manifest is None or manifest["status"] != "done":
            raise PrunescopeError(f"run {recipe.id} starts from run {parent.id}, which is not in the store")
        step = int(manifest["step"])
        if recipe.start.moment.when != "final":
            clock = Clock(manifest["epoch_steps"], manifest["most_steps"])
            step += clock.steps(recipe.start.moment.at) - int(manifest["steps"])
        return begin(program, self.weights(recipe.start), step)


def fresh_weights(model: Model, seed: int, device: str = "cpu") -> Weights:
    """Newly initialized weights; masks as of `Model.fresh`."""
    return weights_on(model.fresh(seed), device)


def with_kernels(program: Program, kernels: Kernels) -> Program:
    """The same program with other products; nothing else differs."""
    return replace(program, problem=replace(program.problem, kernels=kernels))


def check_code(store: Store, recipe: Run, problem: Problem) -> None:
    """Keeps a network's seed-0 outputs, and what trains and is prunable, at its first use.

    A store of before 2027 knows outputs in evaluation mode only; everything trained in it, and weights of linear layers
    and convolutions were prunable.

    Raises CodeChanged when anything is another now.
    """
    network, model = recipe.task.network, problem.model
    path = facts_key(recipe)
    x, _ = problem.test.batch(torch.arange(min(FINGERPRINTED, len(problem.test))))
    with blaming(f"{network.path} on inputs {list(x.shape)}", always=True):
        now = model.fingerprint(x)
    stored = store.read_json(path)
    before: dict[str, Any] = {"training": now["training"], "frozen": [], "evaluating": []} | (stored or now)
    before = {"prunable": sorted(model.linear_and_convolutions)} | before
    same = {"outputs": before["shapes"] == now["shapes"] and _close(before["logits"], now["logits"])}
    same["outputs in training mode"] = _close(before["training"], now["training"])
    for name, words in _COMPARED.items():
        same[words] = before[name] == now[name]
    if changed := [words for words, equal in same.items() if not equal]:
        raise CodeChanged(
            f"the code behind {network.path} changed, or what this package makes of it: its "
            f"{' and its '.join(changed)} for seed 0 are no longer those of the stored runs; raise its revision (now "
            f"{network.revision}) to keep both, or use another store"
        )
    if stored != (complete := now | (stored or {})):
        store.write_json(path, complete)


def facts_key(recipe: Run) -> str:
    """Where the store keeps what a network computed when it first met it with these data."""
    name = text_digest(recipe.task.network.id + recipe.task.data.source.id)
    return f"networks/{name}.json"


def _close(before: list[float], now: list[float]) -> bool:
    return len(before) == len(now) and all(
        a == b or (a != a and b != b) or abs(a - b) <= 1e-3 * (1 + abs(a)) for a, b in zip(before, now, strict=True)
    )
