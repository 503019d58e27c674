"""Changes of a clean training set: wrong labels, held-out examples, subsets."""

import torch
from torch import Tensor

from prunescope.base.errors import UsageError


def flip_labels(y: Tensor, fraction: float, classes: int, generator: torch.Generator) -> Tensor:
    """A copy of the labels in which exactly round(fraction * N) entries are wrong.

    The entries are drawn uniformly without replacement, and each new label uniformly from the classes - 1 others.

    Args:
        y: labels in [0, classes), int64 [N].
        fraction: share of the labels to change, in [0, 1).
        classes: number of classes, at least 2.
        generator: the generator to draw from.

    Returns: int64 [N], on the device of `y`.
    Raises: UsageError for a fraction, a number of classes or a label outside these ranges.

    Source: Jin et al. 2022, the experiments with random label noise.
    """
    if not 0 <= fraction < 1:
        raise UsageError(f"label noise {fraction} is not a fraction of the training set; give a number in [0, 1)")
    if classes < 2:
        raise UsageError(f"{classes} classes leave no other label to draw; at least 2 are needed")
    if len(y) and (int(y.min()) < 0 or int(y.max()) >= classes):
        raise UsageError(f"labels reach from {int(y.min())} to {int(y.max())}; permitted is 0 to {classes - 1}")
    count = round(fraction * len(y))
    wrong = _sample(len(y), count, generator).to(y.device)
    shift = torch.randint(1, classes, (count,), generator=generator, device=generator.device).to(y.device)
    noisy = y.clone()
    noisy[wrong] = (y[wrong] + shift) % classes
    return noisy


def hold_out(n: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A uniformly random split of 0..n-1 into indices for training [n - size] and for validation [size].

    Both are int64, ascending and on the device of the generator. Raises UsageError unless 0 <= size < n.
    """
    if not 0 <= size < n:
        raise UsageError(f"{size} held-out examples of {n}; give a number in [0, {n})")
    order = torch.randperm(n, generator=generator, device=generator.device)
    return order[size:].sort().values, order[:size].sort().values


def balanced_subset(y: Tensor, per_class: int, classes: int, generator: torch.Generator) -> Tensor:
    """Indices of `per_class` random examples of each class, ascending, int64 [classes * per_class].

    y: labels, int64 [N].

    Raises UsageError if a class has fewer than `per_class` examples, or if `per_class` is below 1.

    Source: Bartoldson et al. 2019, Fig. A3 (training sets of 128 examples a class and more).
    """
    if y.ndim != 1 or y.is_floating_point():
        raise UsageError(
            f"examples of each class need one class an example, not {y.dtype} {tuple(y.shape)}; use share= instead"
        )
    counts = torch.bincount(y, minlength=classes)
    if not 1 <= per_class <= int(counts.min()):
        raise UsageError(f"{per_class} examples a class; the smallest class has {int(counts.min())}, give 1 to that")
    members = [torch.nonzero(y == label).squeeze(1) for label in range(classes)]
    chosen = [member[_sample(len(member), per_class, generator).to(y.device)] for member in members]
    return torch.cat(chosen).sort().values


def _sample(n: int, size: int, generator: torch.Generator) -> Tensor:
    """`size` distinct indices of 0..n-1 in random order."""
    return torch.randperm(n, generator=generator, device=generator.device)[:size]
