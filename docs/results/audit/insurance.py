"""A table with groups: who loses when a network that predicts visits to the doctor is pruned?

The data are those of the RAND health insurance experiment, 20,190 years of people, as statsmodels ships them
(`pip install statsmodels`). The network says from age-independent facts (price, income, illnesses, health) whether a
person goes to the doctor never, up to four times, or more often in a year. Trained by the loop below, in plain PyTorch.

Run `python docs/results/audit/insurance.py --out docs/results/audit/insurance`; it takes a minute.
"""

import argparse
import copy
import shlex
import sys
from pathlib import Path

import numpy as np
import torch
from statsmodels.datasets import randhie
from torch import nn
from torch.nn.utils import prune

import prunescope as ps

EPOCHS, TUNING = 10, 3
"""Epochs of training, and of fine-tuning after pruning."""
BLOCK = 50
"""Years that follow each other are of the same people; so many go to training or to the test together."""


def table() -> tuple[torch.Tensor, torch.Tensor, dict[str, np.ndarray], np.ndarray]:
    """Inputs [N, 9] standardized, labels, groups by name, and which rows are for the test."""
    rows = randhie.load_pandas().data
    visits = rows.pop("mdvis").to_numpy()
    x = torch.tensor(((rows - rows.mean()) / rows.std()).to_numpy(), dtype=torch.float32)
    y = torch.tensor(np.digitize(visits, (0.5, 4.5)))
    health = np.select([rows.hlthp > 0.5, rows.hlthf > 0.5, rows.hlthg > 0.5], ["poor", "fair", "good"], "excellent")
    groups = {"health": health, "care": np.where(rows.lncoins == 0, "free", "paid in part")}
    blocks = np.random.default_rng(0).random(len(rows) // BLOCK + 1) < 0.5
    return x, y, groups, blocks[np.arange(len(rows)) // BLOCK]


def net(seed: int, width: int = 128) -> nn.Sequential:
    """Two hidden layers."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(9, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))


def train(module: nn.Module, x: torch.Tensor, y: torch.Tensor, *, epochs: int, rate: float, seed: int) -> nn.Module:
    """Adam, batches of 100, the learning rate falling to 0 by a cosine."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(x) // 100))
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    return module


def masked(module: nn.Module, amount: float) -> nn.Module:
    """The smallest weights of all layers are masked by torch.nn.utils.prune, whose masks stay."""
    layers = [(layer, "weight") for layer in module.modules() if isinstance(layer, nn.Linear)]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=amount)
    return module


def main() -> None:
    """Trains, audits, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twins", type=int, default=5)
    parser.add_argument("--store", default="prunescope-store")
    parser.add_argument("--out", type=Path, default=Path("prunescope-reports/audit-insurance"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    x, y, groups, test = table()
    fit = {"x": x[~test], "y": y[~test]}

    def tuned(module: nn.Module) -> nn.Module:
        return train(module, **fit, epochs=TUNING, rate=3e-4, seed=100)

    dense, *twins = (train(net(seed), **fit, epochs=EPOCHS, rate=1e-3, seed=seed) for seed in range(options.twins + 1))
    narrow = train(net(100, width=28), **fit, epochs=EPOCHS, rate=1e-3, seed=100)
    report = ps.audit(
        dense,
        {f"{amount:.0%} masked": tuned(masked(copy.deepcopy(dense), amount)) for amount in (0.5, 0.8, 0.95, 0.99)},
        test=(x[test], y[test]),
        train=(x[~test], y[~test]),
        twins=twins,
        controls={"trained longer": tuned(copy.deepcopy(dense)), "narrow": tuned(narrow)},
        groups={name: column[test] for name, column in groups.items()},
        class_names=["never", "up to four", "more often"],
        gate={"max-group-loss": 2},
        delta=2,
        store=options.store,
        why=512,
    )
    print(report)
    print(report.write(options.out, command=shlex.join(["python", *sys.argv])))


if __name__ == "__main__":
    main()
