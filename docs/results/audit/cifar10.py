"""A small network on CIFAR-10, pruned by torch.nn.utils.prune and by torch-pruning: what changed, and for whom?

Trained by the loop below, in plain PyTorch; prunescope only looks at what comes out. Needs `pip install torch-pruning`.
Run `python docs/results/audit/cifar10.py --out docs/results/audit/cifar10`; networks in --folder are not trained again.
"""

import argparse
import copy
import shlex
import sys
import time
from pathlib import Path

import torch
import torch_pruning as tp
from torch import nn
from torch.nn.utils import prune

import prunescope as ps

EPOCHS, TUNING = 5, 2
"""Epochs of training, and of fine-tuning after pruning."""
LEARNING_RATE = 0.05


class Net(nn.Module):
    """Three convolutions with batch normalization, 56,674 weights at width 24."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for ins, outs, stride in ((3, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 1)):
            layers += [nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.fc = nn.Linear(16 * width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return self.fc(self.features(x))


def train(net: nn.Module, x: torch.Tensor, y: torch.Tensor, *, epochs: int, rate: float, seed: int) -> nn.Module:
    """SGD with momentum, batches of 100, the learning rate falling to 0 by a cosine; images are mirrored at random."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = epochs * (len(x) // 100)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(100):
            batch = x[rows]
            mirrored = torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.5
            batch = torch.where(mirrored, batch.flip(3), batch)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), y[rows]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def masked(net: nn.Module, amount: float) -> nn.Module:
    """The smallest weights of all layers are masked by torch.nn.utils.prune, whose masks stay."""
    layers = [(layer, "weight") for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    prune.global_unstructured(layers, prune.L1Unstructured, amount=amount)
    return net


def smaller(net: nn.Module, amount: float) -> nn.Module:
    """Filters of the smallest norm are taken out by torch-pruning, a share of every layer."""
    example = torch.zeros(1, 3, 32, 32)
    tp.pruner.MagnitudePruner(
        net, example, importance=tp.importance.MagnitudeImportance(p=2), pruning_ratio=amount, ignored_layers=[net.fc]
    ).step()
    return net


def networks(folder: Path, images: int) -> dict[str, nn.Module]:
    """All networks by name; each is trained unless the folder has it."""
    arrays = ps.cifar10().load()
    x, y = arrays.train_x.take(torch.arange(images)), arrays.train_y[:images]
    x = x.to(memory_format=torch.channels_last)  # three times as fast on a CPU

    def fresh(seed: int, width: int = 24) -> nn.Module:
        torch.manual_seed(seed)
        return train(Net(width), x, y, epochs=EPOCHS, rate=LEARNING_RATE, seed=seed)

    def tuned(net: nn.Module) -> nn.Module:
        return train(net, x, y, epochs=TUNING, rate=LEARNING_RATE / 5, seed=100)

    made: dict[str, nn.Module] = {}

    def dense() -> nn.Module:
        return copy.deepcopy(made["dense"])

    recipes = {
        "dense": lambda: fresh(0),
        "seed 1": lambda: fresh(1),
        "seed 2": lambda: fresh(2),
        "masked 80 %": lambda: tuned(masked(dense(), 0.8)),
        "masked 95 %": lambda: tuned(masked(dense(), 0.95)),
        "smaller by half": lambda: tuned(smaller(dense(), 0.5)),
        "trained longer": lambda: tuned(dense()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, recipe in recipes.items():
        path, start = folder / f"{name}.pt", time.process_time()
        if path.exists():
            made[name] = torch.load(path, weights_only=False)  # this script's own files
            continue
        made[name] = recipe()
        torch.save(made[name], path)
        print(f"{name}: {time.process_time() - start:.0f} s of one core", flush=True)
    return made


def main() -> None:
    """Trains what the folder lacks, audits, and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="training images, the first ones")
    parser.add_argument("--folder", type=Path, default=Path("audit-cifar10"), help="where trained networks are kept")
    parser.add_argument("--why", type=int, default=512, help="images on which flatness and barriers are looked at")
    parser.add_argument("--store", default="prunescope-store")
    parser.add_argument("--out", type=Path, default=Path("prunescope-reports/audit-cifar10"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    nets = networks(options.folder, options.images)
    report = ps.audit(
        nets["dense"],
        {name: nets[name] for name in ("masked 80 %", "masked 95 %", "smaller by half")},
        test=ps.cifar10(),
        twins={name: nets[name] for name in ("seed 1", "seed 2")},
        controls={"trained longer": nets["trained longer"]},
        gate={"max-class-loss": 5},
        store=options.store,
        why=options.why,
    )
    print(report)
    print(report.write(options.out, command=shlex.join(["python", *sys.argv])))


if __name__ == "__main__":
    main()
