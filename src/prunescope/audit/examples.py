"""Which examples: lost and won, suspects of a wrong label, given up by all pruned networks; and a file of all numbers.

Belongs here: lists of single examples. Does not belong here: groups of them (`tables.py`).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from prunescope.audit.contrast import Contrast
from prunescope.audit.evidence import Answers, Evidence, Labels
from prunescope.studies import statistics
from prunescope.studies.plot import Row

FIRST = 48
"""Examples of a list that a page shows; the file of all examples has the others."""


def lost(one: Contrast) -> list[Row]:
    """Right before and wrong now, the most confident mistake first."""
    return _rows(one, np.flatnonzero(one.lost), by=one.other.confidence)


def won(one: Contrast) -> list[Row]:
    """Wrong before and right now, the most confident first."""
    return _rows(one, np.flatnonzero(one.won), by=one.other.confidence)


def given_up(pruned: Sequence[Contrast]) -> list[Row]:
    """Right by every dense network and wrong by every pruned one, the largest mean rise in loss first."""
    evidence = pruned[0].evidence
    every = ~evidence.dense_wrong.any(axis=0) & np.all([one.other.wrong for one in pruned], axis=0)
    rise = np.mean([one.other.loss for one in pruned], axis=0) - evidence.dense.loss
    return _rows(pruned[0], np.flatnonzero(every), by=rise)


def suspects(evidence: Evidence) -> list[Row]:
    """Examples that the dense networks answer otherwise than their label, the least probable label first.

    For a test set, which no network was trained on; probability and prediction are of the mean over dense networks.

    Source: Northcutt et al. 2021 (self-confidence).
    """
    label, every = evidence.label, np.arange(len(evidence))
    mean = np.mean([np.exp(seed.log_probability) for seed in evidence.seeds], axis=0)
    prediction, own = mean.argmax(axis=1), mean[every, label]
    places = np.flatnonzero(prediction != label)
    places = places[np.argsort(own[places], kind="stable")]
    noisy = label != evidence.clean
    return [
        {
            "index": int(evidence.index[k]),
            "label": evidence.classes[label[k]],
            "prediction": _name(evidence, prediction[k]),
            "probability of the label": float(own[k]),
            **({"marked": bool(noisy[k])} if noisy.any() else {}),
        }
        for k in places
    ]


def precision(evidence: Evidence) -> list[Row]:
    """How many of the first n suspects have a label that is known to be changed, n = 1, 2, 4, ... and all of them.

    None where no label is known to be changed.
    """
    marked = [bool(row["marked"]) for row in suspects(evidence) if "marked" in row]
    rows: list[Row] = []
    for n in sorted({2**k for k in range(len(marked).bit_length())} | {len(marked)} if marked else set()):
        share = statistics.clopper_pearson(sum(marked[:n]), n).times(100)
        ends = {"low": share.low, "high": share.high}
        rows.append({"list": "suspects", "examples": n, "changed, %": share.estimate, **ends})
    return rows


def _rows(one: Contrast, places: NDArray[np.int64], *, by: NDArray[np.float64]) -> list[Row]:
    evidence, other = one.evidence, one.other
    right = (~evidence.dense_wrong).sum(axis=0)
    return [
        {
            "index": int(evidence.index[k]),
            "label": evidence.classes[evidence.label[k]],
            "dense": _name(evidence, one.dense.prediction[k]),
            "prediction": _name(evidence, other.prediction[k]),
            "confidence": float(other.confidence[k]),
            "rise of loss, nats": float(other.loss[k] - one.dense.loss[k]),
            "dense networks that are right": f"{right[k]} of {len(evidence.seeds)}",
        }
        for k in places[np.argsort(-by[places], kind="stable")]
    ]


def _name(evidence: Evidence, code: int) -> str:
    """The name of a class; outputs beyond those that labels have are numbered."""
    return evidence.classes[code] if code < len(evidence.classes) else str(code)


def columns(evidence: Evidence) -> dict[str, NDArray[np.generic]]:
    """Every example's numbers by every network, from which all tables can be computed again: [N] by name."""
    table: dict[str, NDArray[np.generic]] = {"index": evidence.index, "label": evidence.label, "clean": evidence.clean}
    for title, column in evidence.groups.items():
        table[f"group {title}"] = np.array(column.names)[column.codes]
    parts: dict[str, Callable[[Answers], Labels | NDArray[np.float64]]] = {
        "prediction": lambda one: one.prediction,
        "confidence": lambda one: one.confidence,
        "loss": lambda one: one.loss,
        "brier": lambda one: one.brier,
    }
    for one in (evidence.dense, *evidence.pruned, *evidence.twins):
        table |= {f"{name} {one.name}": part(one) for name, part in parts.items()}
        if one is not evidence.dense:
            table[f"divergence {one.name}"] = Contrast(evidence, one).divergence
    return table
