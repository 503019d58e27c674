"""Shares of an effect: what each factor changed, over the orders in which factors can be given one after the other.

Along one order the changes from cell to cell add up to the whole effect, so their means over orders do as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, permutations

import numpy as np

from prunescope.base.errors import UsageError
from prunescope.studies.results import Numbers

Cell = frozenset[str]
Order = tuple[str, ...]


def orders(needs: Mapping[str, frozenset[str]]) -> list[Order]:
    """All orders of the factors in which each comes after one of those that it needs, if it needs any.

    Raises UsageError where there is no such order.

    Source: Faigle and Kern 1992 (Shapley value under precedence constraints).
    """
    possible = [
        order
        for order in permutations(needs)
        if all(not needs[name] or needs[name] & set(order[:place]) for place, name in enumerate(order))
    ]
    if not possible:
        raise UsageError(f"the factors {', '.join(needs)} need each other in a circle; one of them has to stand alone")
    return possible


def cells(chosen: Iterable[Order]) -> list[Cell]:
    """All cells on the way of some orders, small ones first, in order of appearance."""
    found = dict.fromkeys(frozenset(order[:n]) for order in chosen for n in range(len(order) + 1))
    return sorted(found, key=len)


def shares(values: Mapping[Cell, Numbers], chosen: Sequence[Order]) -> dict[str, Numbers]:
    """What each factor changes, [R] by factor: the mean, over orders, of the value with it minus that just before.

    They add up to the whole effect in every replicate. With all orders, and no factor that needs another, these are the
    Shapley values.

    values: by cell, [R]; a cell in which any number is not finite is avoided by taking only orders around it. Where no
    order is left, a factor is known only if it never borders on such a cell; otherwise it is not a number.

    Source: Shapley 1953.
    """
    known = {cell: v if np.isfinite(v).all() else np.full_like(v, np.nan) for cell, v in values.items()}
    changes = {order: [known[b] - known[a] for a, b in pairwise(cells([order]))] for order in chosen}
    around = [order for order in chosen if np.isfinite(changes[order]).all()] or chosen
    return {
        name: np.asarray(np.mean([changes[order][order.index(name)] for order in around], axis=0)) for name in chosen[0]
    }
