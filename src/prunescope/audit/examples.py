"""Which examples: lost and won, suspects of a wrong label, given up by all pruned networks; and a file of all."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from prunescope.base.streams import stream
from prunescope.measures.answers import suspected
from prunescope.studies.contrast import Contrast, Evidence
from prunescope.studies.flips import found_among
from prunescope.studies.plot import Row

FIRST = 24
"""Examples of a list that a page shows; the file of all examples has the others."""
FLIPPED = 0.02
"""Share of labels that is flipped to see what a list of suspects is worth; proposed."""


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

    For a set that no network was trained on; probability and prediction are of the mean over dense networks.
    """
    mean = evidence.mean_probability
    return [
        {
            "index": int(evidence.index[k]),
            "label": evidence.classes[evidence.label[k]],
            "prediction": _name(evidence, mean[k].argmax()),
            "probability of the label": float(mean[k, evidence.label[k]]),
        }
        for k in suspected(mean, evidence.label)
    ]


def precision(evidence: Evidence) -> list[Row]:
    """What such a list is worth: how many of the first n would be wrong if 2 % of the labels were flipped at random.

    n = 1, 2, 4, ... up to twice as many as were flipped; percent, with the exact 95 % interval. Labels that are wrong
    already count as right ones, so the list is worth at least that.
    """
    label, classes = evidence.label, evidence.dense.log_probability.shape[1]
    generator, count = stream(0, "audit", "flipped"), max(1, round(FLIPPED * len(evidence)))
    rows = torch.randperm(len(evidence), generator=generator)[:count].numpy()
    flipped = label.copy()
    flipped[rows] = (label[rows] + torch.randint(1, classes, (count,), generator=generator).numpy()) % classes
    listed = np.isin(suspected(evidence.mean_probability, flipped), rows)
    lengths = [2**k for k in range((2 * count).bit_length()) if 2**k <= len(listed)]
    return list(found_among(listed, lengths, {"list": "suspects"}, "flipped, %"))


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
