"""Groups of examples: by class, by a user's column, by a score; and what happens to each group by a score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunescope.base.errors import UsageError
from prunescope.measures.measure import Values
from prunescope.studies.results import Numbers

CROSSED = 10
"""The fewest examples of a crossing of two columns that it is looked at from; proposed."""
QUANTILES = 5
"""Groups by difficulty; proposed."""


@dataclass(frozen=True)
class Column:
    """A grouping of the examples: names of the groups [G], and which of them each example is in, int64 [N]."""

    names: tuple[str, ...]
    codes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """A group of examples.

    family: "all", "class", a column's name or two. name: of the group. rows: which examples are in it, bool [N].
    """

    family: str
    name: str
    rows: NDArray[np.bool_]

    @property
    def title(self) -> str:
        """Family and name, as they are read."""
        plain = {"all": "all examples", "difficulty": self.name}
        return plain.get(self.family, f"{self.family} {self.name}")


def parts_of(classes: Column, columns: Mapping[str, Column]) -> list[Part]:
    """All examples, every class, every group of every column and of two columns crossed; none without examples.

    Crossings of fewer than 10 examples are left out.
    """
    families = [("class", classes, 1), *((title, column, 1) for title, column in columns.items())]
    for (title, one), (other_title, other) in combinations(columns.items(), 2):
        names = tuple(f"{a} × {b}" for a, b in product(one.names, other.names))
        crossed = Column(names, one.codes * len(other.names) + other.codes)
        families.append((f"{title} × {other_title}", crossed, CROSSED))
    parts = [
        Part(title, name, column.codes == code)
        for title, column, fewest in families
        for code, name in enumerate(column.names)
        if (column.codes == code).sum() >= fewest
    ]
    return [Part("all", "all", np.ones(len(classes.codes), dtype=bool)), *parts]


def by_difficulty(score: Numbers) -> list[Part]:
    """Fifths of the examples by a score that is high for difficult ones, the easiest first."""
    groups = min(QUANTILES, len(score))
    fifth = equal_groups(score, groups)
    names = ["easiest", *(f"fifth {k}" for k in range(2, groups)), "hardest"]
    return [Part("difficulty", names[k], fifth == k) for k in range(groups)]


def membership(parts: Sequence[Part]) -> NDArray[np.bool_]:
    """Which example is in which group: bool [N, G]."""
    return np.stack([part.rows for part in parts], axis=1)


def column(name: str, values: ArrayLike, examples: int) -> Column:
    """A user's column. values: a text or a whole number an example, [N].

    Raises UsageError for a name that the report needs itself, another length, missing values, floating numbers, a
    single group and groups of one example.
    """
    if not isinstance(name, str) or name in ("all", "class", "difficulty") or " × " in name or not name.strip():
        raise UsageError(f"groups cannot be called {name!r}, as the report calls its own; choose another name")
    given = np.asarray(values, dtype=object if isinstance(values, Sequence) else None)
    if given.shape != (examples,):
        raise UsageError(f"groups[{name!r}] has shape {given.shape} for {examples} examples; give one an example")
    whole, known = (str, int, np.integer, np.bool_), np.ones(examples, dtype=bool)
    if isinstance(values, np.ma.MaskedArray):
        known &= ~np.ma.getmaskarray(values)
    if given.dtype.kind == "O":
        known &= [isinstance(one, whole) for one in given]
    known &= [not isinstance(one, str) or bool(one.strip()) for one in given]
    if not known.all():
        raise UsageError(
            f"groups[{name!r}] has no text or whole number for {(~known).sum()} examples, the first at place "
            f"{known.argmin()} ({given[known.argmin()]!r}); give what is missing a name of its own, such as 'unknown'"
        )
    if given.dtype.kind not in "biuUO":
        raise UsageError(
            f"groups[{name!r}] is {given.dtype}; give a text or a whole number an example (a missing one turns whole "
            "numbers into floating ones)"
        )
    groups, codes, counts = np.unique(given.astype(str), return_inverse=True, return_counts=True)
    if len(groups) < 2:
        raise UsageError(f"groups[{name!r}] has the group {str(groups[0])!r} only; give two groups or leave it out")
    if (counts < 2).any():
        single = [str(group) for group in groups[counts < 2]]
        shown = ", ".join(map(repr, single[:3])) + (", ..." if len(single) > 3 else "")
        raise UsageError(
            f"groups[{name!r}] has {len(single)} groups of one example ({shown}), of which nothing can be said; merge "
            "them into others"
        )
    return Column(tuple(map(str, groups)), codes.astype(np.int64).reshape(-1))


def equal_groups(scores: Numbers, groups: int) -> NDArray[np.int64]:
    """The group of each example, 0 (lowest scores) to groups - 1: int64 [N].

    Sizes differ by at most one; equal scores go by index.

    scores: [N]. Raises UsageError for more groups than examples.

    Source: Jin et al. 2022, section 3 (M = 20 subgroups by EL2N percentile).
    """
    if not 1 <= groups <= len(scores):
        raise UsageError(f"groups={groups} of {len(scores)} examples; give 1 to that many")
    place = np.empty(len(scores), dtype=np.int64)
    place[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    return place * groups // len(scores)


def group_means(values: Numbers, group: NDArray[np.int64]) -> Numbers:
    """The mean of `values` [N] over the examples of each group [N]: float64 [groups]."""
    return np.asarray(np.bincount(group, weights=values) / np.bincount(group))


def group_differences(values: Sequence[Values], *, groups: int, score: str = "el2n") -> dict[str, NDArray[Any]]:
    """The mean difference in loss of each group, sparse minus dense; negative: the sparse network fits it better.

    For `Combined`: inputs are scores ({score: [N]}), then `Examples` of the sparse and of the dense network on the
    same training set. Returns {"difference": float64 [groups], nats}, lowest scores first.

    Raises UsageError for more groups than examples.

    Source: Jin et al. 2022, section 3.
    Differs from the source: the caption of its Figure 2 names the difference the other way around; this is the sign
    of its text.
    """
    scores, sparse, dense = values
    change = sparse["loss"].astype(np.float64) - dense["loss"]
    return {"difference": group_means(change, equal_groups(scores[score], groups))}


def concentration(differences: Numbers, *, top: float = 0.2) -> float:
    """Mean magnitude of change in the top groups over that in the rest; infinite if the rest does not change.

    differences: [groups], lowest scores first. top: share of the groups.

    Source: Jin et al. 2022, section 3 (3.5 to 71 at the optimal sparsity).
    Differs from the source: whether it averages over groups or examples is not said; here over groups.
    """
    count = max(1, round(top * len(differences)))
    if count >= len(differences):
        raise UsageError(f"top={top} of {len(differences)} groups leaves none to compare with; use more groups")
    magnitude = np.abs(differences)
    rest = float(magnitude[:-count].mean())
    return float(magnitude[-count:].mean()) / rest if rest else float("inf")
