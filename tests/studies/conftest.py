"""A made-up study: three arms, two panels, twelve sparsities, three replicates, and every kind of verdict."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prunescope.base.errors import StoreError
from prunescope.base.value import Value as Settings
from prunescope.runs.graph.families import replicates
from prunescope.runs.graph.recipe import Recipe
from prunescope.studies import (
    Claim,
    Computed,
    Count,
    Direction,
    Equivalence,
    Figure,
    Lines,
    Near,
    Precondition,
    Quantity,
    Rows,
    Study,
    Table,
    column,
)
from prunescope.studies.rule import OneStandardDeviation
from prunescope.tasks.data.digits import digits
from prunescope.tasks.model import network
from prunescope.tasks.task import Data, Task
from prunescope.training.optim import SGD
from prunescope.training.schedules import Constant

sys.path.append(str(Path(__file__).parent))  # for `claimed`

ARMS = ("dense", "pruned", "extended dense training", "width <scaled> & co")
NOISE = ("no label noise", "15 % label noise")
REMAINING = [100 * 0.8**level for level in range(12)]


@dataclass(frozen=True)
class FakeNode:
    id: str


@dataclass(frozen=True)
class FakeResults:
    readings: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)

    def __getitem__(self, node: Any) -> Mapping[str, np.ndarray]:
        if node.id not in self.readings:
            raise StoreError(f"{node.id} was not computed")
        return self.readings[node.id]

    def __contains__(self, node: Any) -> bool:
        return node.id in self.readings


class FakeSettings(Settings):
    network: str = "lenet_300_100"
    epochs: int = 40
    learning_rate: float = 0.1
    label_noise: tuple[float, ...] = (0.0, 0.15)


def fake_table(results: object, *arms: str) -> Table:
    noise_of = np.random.default_rng(0)
    rows = []
    for panel, noise in enumerate(NOISE):
        for arm, name in enumerate(ARMS):
            for replicate in range(3):
                offset = noise_of.normal(0, 0.25)
                for level, remaining in enumerate(REMAINING if arm else [100.0]):
                    gain = (0.0, 0.9, 0.35, 0.5)[arm] * (1 + 9 * panel) * np.sin(level / 11 * 2.4)
                    error = 2.0 + 10 * panel - gain + offset + noise_of.normal(0, 0.12)
                    rows.append(
                        {
                            "panel": noise,
                            "arm": name,
                            "replicate": replicate,
                            "remaining": remaining,
                            "error": float(error),
                        }
                    )
    return [row for row in rows if row["arm"] in arms]


def numbers(values: Any, unit: str = "") -> Quantity:
    """A quantity that needs nothing."""
    return Quantity("", unit, (), lambda results: values)


def fake_claim(
    name: str, says: str, region: Any, values: list[float], *, unit: str = "percentage points", **changes: Any
) -> Claim:
    given = {"basis": "paper", "place": "Jin et al. 2022, Fig. 3"} | changes
    return Claim(name, says, numbers(values, unit), region, **given)


MISSING = column([FakeNode("0f3a9")], "error")
DENSE = Recipe(
    task=Task(network=network("prunescope.tasks.nets:LeNet", inputs=64), data=Data(source=digits())),
    optimizer=SGD(),
    schedule=Constant(lr=0.1),
    batch=64,
    length="1ep",
)
RUNS = replicates(DENSE, 5)


CLAIMS = (
    fake_claim(
        "gain",
        "With 15 % label noise the optimally sparse network generalizes better than the dense one.",
        Direction("greater"),
        [9.1, 8.7, 9.6],
    ),
    fake_claim(
        "width",
        "Width down-scaling does worse than pruning without label noise.",
        Direction("greater"),
        [0.5, 0.1, 0.35],
        place="Jin et al. 2022, Fig. 7",
    ),
    fake_claim(
        "extended",
        "Extended dense training matches pruning without label noise.",
        Equivalence(0.2),
        [0.71, 0.66, 0.69],
        basis="recalled",
        place="Jin et al. 2022, Fig. 6",
    ),
    fake_claim("size", "The gain at 15 % noise is 5.2 points.", Near(5.2, 1.0), [5.0, 7.9, 5.8]),
    fake_claim(
        "fitted",
        "Pruning raises the loss of noisy examples at the optimum.",
        Direction("greater"),
        [0.3, 0.5, 0.1],
        unit="nats",
        preconditions=(
            Precondition(
                "The dense network fits its noisy labels",
                numbers([61.0, 64.2, 65.1], "%"),
                at_least=90.0,
            ),
        ),
    ),
    Claim(
        "resnet",
        "The same holds for ResNet-50 on ImageNet.",
        MISSING,
        Direction("greater"),
    ),
    fake_claim(
        "count",
        "Pruning beats dense on at least 11 of 13 noisy benchmarks.",
        Count(11, of=13),
        [1.0, 1.0, 1.0],
        unit="share of benchmarks",
    ),
)


@pytest.fixture
def study() -> Study:
    return fake_study()


@pytest.fixture
def results() -> "FakeResults":
    return fake_results()


@pytest.fixture
def arguments() -> dict[str, Any]:
    return report_arguments()


def fake_study() -> Study:
    figure = Figure(
        "error",
        "Test error against weights remaining <b>",
        caption="Thin lines are replicates, the band is one standard deviation, stars mark the optimum.",
        rows=[
            Computed(RUNS[3:], lambda results: fake_table(results, "dense"), {"arm": "dense"}),
            Computed(RUNS[:3], lambda results: fake_table(results, "pruned"), {"arm": "pruned"}),
            Computed((), lambda results: fake_table(results, *ARMS[2:])),
        ],
        plot=Lines(
            "remaining",
            "error",
            series="arm",
            log_x=True,
            reverse_x=True,
            references=("dense",),
            star="lowest",
            share_y=False,
            x_label="weights remaining (%)",
            y_label="test error (%)",
        ),
    )
    waiting = Rows({"arm": "pruned", "remaining": 100.0}, {"error": MISSING})
    absent = Figure("absent", "A figure that waits", caption="For a run.", rows=[waiting], plot=figure.plot)
    given: dict[str, Any] = {
        "settings": FakeSettings(),
        "figures": (figure, absent),
        "claims": CLAIMS,
        "paper": "Jin, Carbin, Roy, Frankle, Dziugaite. Pruning’s Effect on Generalization Through the Lens "
        "of Training and Regularization. NeurIPS 2022.",
        "rule": OneStandardDeviation(),
        "scale": "LeNet on 6,000 MNIST images, 3 replicates.",
        "notes": ("Numbers here are made up.",),
    }
    return Study("jin2022-fake", "Why does pruning improve generalization?", **given)


def fake_results() -> FakeResults:
    return FakeResults({run.id: {"error": np.array(0.1 * index)} for index, run in enumerate(RUNS[:4])})


def report_arguments() -> dict[str, Any]:
    recipe = {"network": {"path": "prunescope.tasks.nets.perceptrons:LeNet", "scale": 1.0}, "stop": "40ep <end>"}
    return {
        "cost": {"machine": "2 CPU cores", "seconds": 1834.2, "versions": {"torch": "2.13"}},
        "lineage": {run.id: {"run": run.id, "recipe": recipe} for run in RUNS[:3]},
        "failures": {RUNS[4].id: "the loss was not a number at step 812"},
        "command": "prunescope run jin2022 --scale smoke --store runs",
    }
