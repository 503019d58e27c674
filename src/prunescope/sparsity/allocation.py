"""Allocation: how many weights each layer keeps.

A law gives every layer a share, a whole number, and a layer's count is its share of the total. A layer cannot keep
more than it has: it keeps all, and the others split what is left, again by their shares.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal

from prunescope.base.errors import UsageError

Law = Literal["uniform", "erdos_renyi", "erdos_renyi_kernel"]
"""What the density of a layer is proportional to: see `share`."""


def share(shape: Sequence[int], law: Law) -> int:
    """A layer's share of the weights: a number in proportion to its density times its size.

    For a weight of shape [outputs, inputs, *kernel] the density is proportional to

    - "uniform": 1, so that all layers have one density;
    - "erdos_renyi": (inputs + outputs) / (inputs * outputs);
    - "erdos_renyi_kernel": (inputs + outputs + sum of kernel) / (inputs * outputs * product of kernel).

    Raises UsageError for a shape without inputs and outputs, except under "uniform".

    Source: Mocanu et al. 2018, eq. 3 (Erdos-Renyi); Evci et al. 2020, section 3 (kernel).

    >>> [share((64, 16, 3, 3), law) for law in ("uniform", "erdos_renyi", "erdos_renyi_kernel")]
    [9216, 720, 86]
    """
    if law == "uniform":
        return prod(shape)
    if len(shape) < 2:
        raise UsageError(
            f"a weight of shape {tuple(shape)} has no inputs and outputs, which {law!r} needs; use 'uniform'"
        )
    outputs, inputs, *kernel = shape
    if law == "erdos_renyi":
        return (inputs + outputs) * prod(kernel)
    return inputs + outputs + sum(kernel)


def kept_counts(shapes: Mapping[str, Sequence[int]], *, density: float, law: Law) -> dict[str, int]:
    """Weights that each layer keeps when round(density * all weights) are kept in all.

    Args: shapes: of the weights, by name; density: in (0, 1]; law: see `share`.
    Returns: counts of weights by name; layers that the law would overfill keep all they have.
    Raises: UsageError for a density outside (0, 1].

    >>> kept_counts({"a": (100, 100), "b": (10, 100)}, density=0.1, law="erdos_renyi")
    {'a': 710, 'b': 390}
    """
    if not 0 < density <= 1:
        raise UsageError(f"density={density} is no share of weights to keep; give a number in (0, 1]")
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    shares = {name: share(shape, law) for name, shape in shapes.items()}
    return allocate(round(density * sum(sizes.values())), shares, sizes)


def allocate(total: int, shares: Mapping[str, int], capacity: Mapping[str, int]) -> dict[str, int]:
    """`total` split in proportion to `shares`, where no part may exceed its capacity.

    Args: total: at most the sum of capacity; shares, capacity: whole numbers by name.
    Returns: whole numbers with that sum; parts below their capacity by largest remainder, equal ones by name.
    """
    counts: dict[str, int] = {}
    open_ = dict(shares)
    while open_:
        # A part that is full leaves more to the others, which may fill some of them in turn.
        full = [name for name in open_ if capacity[name] * sum(open_.values()) < total * open_[name]]
        if not full:
            break
        for name in full:
            counts[name] = capacity[name]
            total -= capacity[name]
            del open_[name]
    found = counts | largest_remainder(total, open_)
    return {name: found[name] for name in shares}


def largest_remainder(total: int, shares: Mapping[str, int]) -> dict[str, int]:
    """`total` split in proportion to `shares` into whole numbers, each the exact share rounded down or up.

    What rounding down leaves over goes to the largest remainders, among equal ones to the first names.
    """
    whole = sum(shares.values())
    if whole == 0:
        return dict.fromkeys(shares, 0)
    parts = {name: total * share // whole for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (-(total * shares[name] % whole), name))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return parts
