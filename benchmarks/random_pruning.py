"""Question: how fast is a curve of many small pruned networks?"""

import itertools
import tempfile
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.laboratory import FULL, Laboratory
from benchmarks.products import product
from benchmarks.result import Result
from benchmarks.timing import interleaved
from prunescope.base.reference import StateRef
from prunescope.papers.readings import risk_on_test, risk_on_train
from prunescope.papers.yang2023.quantities import PRUNED, sweep
from prunescope.papers.yang2023.scales import NOISY, SMOKE, Setting
from prunescope.runs.execution.ensure import ensure
from prunescope.runs.graph.recipe import Recipe
from prunescope.runs.store.store import Store

FEWER = SMOKE.replace(keeps=(1.0, 0.3), over=0.3)


def random_pruning(lab: Laboratory) -> list[Result]:
    """10 keep probabilities by 10 replicates, K = 2, d = 400, n = 100, m = 50, each run to its target loss, one core.

    prunescope: `ensure` of all runs and of test and training error, in an empty store. Plain loop: the same runs one
    after another, from the same weights and masks: `nn.Module`, autograd, `torch.optim.SGD`, the mask multiplied in
    after every step, both errors at the end, nothing stored. Limit: the two products of every one of these steps,
    dense, with the noise patches as rows (a signal patch holds one number), and nothing else.
    """
    arm = NOISY if lab.scale == FULL else FEWER
    curve = sweep(arm.setting, arm.keeps, arm.replicates)
    recipes = [recipe for networks in curve.values() for recipe in networks.runs]
    with tempfile.TemporaryDirectory(prefix="prunescope-curve-") as folder:
        made = zip(recipes, _made(recipes, lab), strict=True)
        runs = [Plain.of(arm.setting, recipe, steps) for recipe, steps in made]
        stores = (Store(f"{folder}/{number}") for number in itertools.count())
        nodes = [risk(recipe) for recipe in recipes for risk in (risk_on_test, risk_on_train)]
        seconds = interleaved(
            {
                "prunescope": lambda: ensure(nodes, store=next(stores), workers=1),
                "plain": lambda: [run.train() for run in runs],
                "limit": lambda: products(arm.setting, sum(run.steps for run in runs)),
            },
            rounds=1 if lab.scale == FULL else lab.scale.rounds,
        )
    ours, steps = seconds["prunescope"], sum(run.steps for run in runs)
    return [
        Result("prunescope", ours, "s"),
        Result("plain loop", seconds["plain"], "s"),
        Result("the products alone", seconds["limit"], "s"),
        Result("prunescope, a step", 1e6 * ours / steps, "µs"),
        Result("plain loop : prunescope", seconds["plain"] / ours, "times", low=3),
        Result("prunescope : the products alone", ours / seconds["limit"], "times", high=2),
    ]


@dataclass(frozen=True)
class Plain:
    """One run as most code has it.

    start: the pruned weights [K m, d]; mask: 1 where kept; steps: what the run takes. The splits: inputs, labels.
    """

    setting: Setting
    network: nn.Module
    start: Tensor
    mask: Tensor
    train_split: tuple[Tensor, Tensor]
    test_split: tuple[Tensor, Tensor]
    steps: int

    @classmethod
    def of(cls, setting: Setting, recipe: Recipe, made: tuple[Tensor, Tensor, int]) -> "Plain":
        """The run of a recipe. made: its pruned weights, its mask, its number of steps."""
        arrays = recipe.task.data.source.load()
        train = arrays.train_x.take(torch.arange(len(arrays.train_y))), arrays.train_y
        test = arrays.test_x.take(torch.arange(len(arrays.test_y))), arrays.test_y
        start, mask, steps = made
        return cls(setting, recipe.task.network.build(), start, mask.float(), train, test, steps)

    def train(self) -> tuple[float, float]:
        """Gradient descent on all examples until the target loss; returns training and test error."""
        (weight,) = self.network.parameters()
        with torch.no_grad():
            weight.copy_(self.start)
        optimizer = torch.optim.SGD(self.network.parameters(), lr=self.setting.lr)
        x, y = self.train_split
        for _ in range(self.setting.most_steps):
            optimizer.zero_grad()
            loss = F.cross_entropy(self.network(x), y)
            if self.setting.target is not None and loss.item() <= self.setting.target:
                break
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                weight.mul_(self.mask)
        return self._error(self.train_split), self._error(self.test_split)

    @torch.no_grad()
    def _error(self, split: tuple[Tensor, Tensor]) -> float:
        x, y = split
        return float((self.network(x).argmax(dim=1) != y).float().mean())


def products(setting: Setting, steps: int) -> None:
    """The forward product and the weight gradient's of so many steps; the examples' noise patches are rows."""
    rows, neurons = setting.examples, setting.classes * setting.width
    x, weight = torch.randn(rows, setting.dimension), torch.randn(neurons, setting.dimension)
    y, slope = torch.randn(rows, neurons), torch.empty(neurons, setting.dimension)
    output = torch.empty(rows, neurons)
    for _ in range(steps):
        product(x, weight.t(), output)
        product(y.t(), x, slope)


def _made(recipes: list[Recipe], lab: Laboratory) -> list[tuple[Tensor, Tensor, int]]:
    """Pruned weights, mask and number of steps of every run, made once before anything is timed."""
    store = lab.bench.store
    results = ensure([StateRef(run=recipe, moment=PRUNED) for recipe in recipes], store=store, workers=1)
    found = []
    for recipe in recipes:
        weights = store.weights(recipe.id, PRUNED.id)
        (name,) = weights.masks
        found.append((weights.params[name], weights.masks[name], int(results[recipe]["steps"])))
    return found
