"""Allocation: how many weights each layer keeps.

A law gives every layer a share, which is a whole number, and the count of a layer is its share of the total. A layer
cannot keep more weights than it has: it then keeps all of them, and the others split the rest, again by their shares.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal

from prunescope.base.errors import UsageError

Law = Literal["uniform", "erdos_renyi", "erdos_renyi_kernel"]
"""The rule for the density of a layer; see `share`."""


def share(shape: Sequence[int], law: Law) -> int:
    """A layer's share of the weights, in proportion to its density times its size.

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


def allocate(total: int, shares: Mapping[str, int], capacity: Mapping[str, int]) -> dict[str, int]:
    """`total` split in proportion to `shares`, where no part may exceed its capacity.

    Args:
        total: whole number, at most the sum of the capacities.
        shares: whole numbers by name.
        capacity: the largest permitted part, by name.

    Returns: whole numbers with that sum. Parts below their capacity are rounded as in `largest_remainder`.
    """
    counts: dict[str, int] = {}
    growing = dict(shares)
    # A part that is full leaves more to the others, which may fill some of them in turn.
    while full := [name for name in growing if capacity[name] * sum(growing.values()) < total * growing[name]]:
        for name in full:
            counts[name] = capacity[name]
            total -= capacity[name]
            del growing[name]
    counts |= largest_remainder(total, growing)
    return {name: counts[name] for name in shares}


def largest_remainder(total: int, shares: Mapping[str, int]) -> dict[str, int]:
    """`total` split in proportion to `shares` into whole numbers, each the exact part rounded down or up.

    The parts with the largest remainders are rounded up; among equal remainders, those of the first names.
    """
    all_shares = sum(shares.values())
    if all_shares == 0:
        return dict.fromkeys(shares, 0)
    parts = {name: total * share // all_shares for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (-(total * shares[name] % all_shares), name))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return parts
