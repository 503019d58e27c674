"""A made-up study: three arms, two panels, twelve sparsities, three replicates, and every kind of verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from prunescope.base.errors import StoreError
from prunescope.base.value import Value as Settings
from prunescope.studies import (
    Claim,
    Count,
    Direction,
    Equivalence,
    Figure,
    Lines,
    Precondition,
    Study,
    Table,
    Value,
)

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


def fake_table(results: object) -> Table:
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
    return rows


def fake_claim(name: str, says: str, region: Any, values: list[float], **changes: Any) -> Claim:
    given = {"basis": "paper", "place": "Jin et al. 2022, Fig. 3", "unit": "percentage points"} | changes
    return Claim(name, says, region=region, sample=lambda results: values, **given)


def missing(results: Any) -> np.ndarray:
    return results[FakeNode("0f3a9")]["error"]


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
    fake_claim("size", "The gain at 15 % noise is 5.2 points.", Value(5.2, 1.0), [5.0, 7.9, 5.8]),
    fake_claim(
        "fitted",
        "Pruning raises the loss of noisy examples at the optimum.",
        Direction("greater"),
        [0.3, 0.5, 0.1],
        unit="nats",
        preconditions=(
            Precondition(
                "The dense network fits its noisy labels",
                lambda results: [61.0, 64.2, 65.1],
                at_least=90.0,
                unit="%",
            ),
        ),
    ),
    Claim(
        "resnet",
        "The same holds for ResNet-50 on ImageNet.",
        basis="proposed",
        place="",
        region=Direction("greater"),
        sample=missing,
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
    nodes = [FakeNode(f"{index:032x}") for index in range(6)]
    figure = Figure(
        "error",
        "Test error against weights remaining <b>",
        caption="Thin lines are replicates, the band is one standard deviation, stars mark the optimum.",
        table=fake_table,
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
        lineage={"pruned": nodes[:3], "dense": nodes[3:4]},
    )
    absent = Figure("absent", "A figure that waits", caption="For a run.", table=missing, plot=figure.plot)
    given: dict[str, Any] = {
        "settings": FakeSettings(),
        "nodes": nodes,
        "figures": (figure, absent),
        "claims": CLAIMS,
        "paper": "Jin, Carbin, Roy, Frankle, Dziugaite. Pruning’s Effect on Generalization Through the Lens "
        "of Training and Regularization. NeurIPS 2022.",
        "scale": "LeNet on 6,000 MNIST images, 3 replicates.",
        "notes": ("Numbers here are made up.",),
    }
    return Study("jin2022-fake", "Why does pruning improve generalization?", **given)


def fake_results() -> FakeResults:
    return FakeResults({f"{index:032x}": {"error": np.array(0.1 * index)} for index in range(4)})


def report_arguments() -> dict[str, Any]:
    recipe = {"network": {"path": "prunescope.tasks.nets.lenet:LeNet", "scale": 1.0}, "stop": "40ep <end>"}
    return {
        "cost": {"machine": "2 CPU cores", "seconds": 1834.2, "versions": {"torch": "2.13"}},
        "lineage": {f"{index:032x}": {"run": f"{index:032x}", "recipe": recipe} for index in range(3)},
        "failures": {f"{4:032x}": "the loss was not a number at step 812"},
        "command": "prunescope run jin2022 --scale smoke --store runs",
    }
