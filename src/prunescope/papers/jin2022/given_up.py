"""The training examples that pruning gives up first: which they are, and how many of them have a flipped label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.papers.jin2022.arms import Numbers, Point
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.leave_out import LeaveOut, examples
from prunescope.studies import statistics

FIRST = 64
"""How many images are shown, and on how many the claim is judged; proposed."""
SHOWN = 0
"""The replicate whose images are shown."""


def order(gain: Numbers) -> NDArray[np.int64]:
    """Examples by how much pruning raises their loss, most first, ties by index: int64 [N].

    gain: loss of the dense minus that of the sparse network, [N], nats.
    """
    return np.asarray(np.argsort(gain, kind="stable"))


def first_given_up(panel: str, dense: Point, sparse: ps.Reading) -> ps.Computed:
    """The first examples in that order, one row each, as a `Sheet` wants them; sparse: `Examples` of that network."""
    labels = ps.Reading(measure=ps.Labels(split="train"), state=ps.final(dense.recipe))

    def rows(results: ps.Results) -> ps.Table:
        data, output = results[labels], results[sparse]
        gain = results[dense.examples]["loss"].astype(np.float64) - output["loss"]
        return [
            {
                "rank": rank,
                "index": int(data["index"][place]),
                "label": int(data["label"][place]),
                "label_before_noise": int(data["clean"][place]),
                "prediction": int(output["prediction"][place]),
                "loss_rise": -float(gain[place]),
                "marked": bool(output["noisy"][place]),
            }
            for rank, place in enumerate(order(gain)[:FIRST].tolist(), 1)
        ]

    return ps.Computed((labels, dense.examples, sparse), rows, {"panel": panel})


def precision_figure(cases: Sequence[LeaveOut]) -> ps.Figure:
    """How many of the examples given up first have a flipped label, by the length of the list."""
    return ps.Figure(
        "app-k-precision",
        "Are the examples that pruning gives up first the mislabeled ones?",
        caption="Training examples in order of how much pruning raises their loss: the share of flipped labels among "
        "the first n, beside the share among all (dashed). The data hold an exact 95 % interval for each replicate.",
        rows=[case.where_sparse(_precisions(case)) for case in cases],
        plot=ps.Lines(
            "examples",
            "precision",
            series="series",
            x_label="first n examples",
            y_label="flipped labels among them, %",
            log_x=True,
            references=("among all",),
        ),
        claims=tuple(map(_are_mislabeled, cases)),
    )


def _precisions(case: LeaveOut) -> ps.Computed:
    readings = [examples(run) for run in case.sparse]

    def rows(results: ps.Results) -> list[ps.Row]:
        return [
            {"replicate": number, **row}
            for number, (gain, reading) in enumerate(zip(case.gains, readings, strict=True))
            if gain in results
            for row in precisions(results[gain]["difference"], results[reading]["noisy"])
        ]

    return ps.Computed((*case.gains, *readings), rows, {"panel": case.panel})


def precisions(gain: Numbers, noisy: NDArray[np.bool_]) -> list[ps.Row]:
    """Percent of flipped labels among the first n examples given up, n = 1, 2, 4, ... N, with a 95 % interval.

    gain: dense minus sparse loss, [N]; noisy: bool [N].
    """
    hits, total = np.cumsum(noisy[order(gain)]), len(gain)
    rows: list[ps.Row] = []
    for n in [2**k for k in range(total.bit_length()) if 2**k < total] + [total]:
        share = statistics.clopper_pearson(int(hits[n - 1]), n)
        ends = {"low": 100 * share.low, "high": 100 * share.high}
        rows.append({"series": "given up first", "examples": n, "precision": 100 * share.estimate, **ends})
        rows.append({"series": "among all", "examples": n, "precision": 100 * float(hits[-1]) / total})
    return rows


def _are_mislabeled(case: LeaveOut) -> ps.Claim:
    def excess(gains: Numbers, noisy: Numbers) -> list[float]:
        pairs = zip(gains, noisy, strict=True)
        return [100 * float(flipped[order(gain)[:FIRST]].mean() - flipped.mean()) for gain, flipped in pairs]

    gains, noisy = ps.arrays(case.gains, "difference"), ps.arrays(map(examples, case.sparse), "noisy")
    label = f"flipped labels among the first {FIRST} minus among all"
    text = (
        f"At {case.panel}, flipped labels are more frequent among the {FIRST} training examples that pruning gives up "
        "first than among all"
    )
    return Says(case.bench, case.noise)(
        "first-given-up-are-mislabeled",
        ps.combined(excess, gains, noisy, label=label, unit="percentage points"),
        MORE,
        text,
        case.judgeable,
        place="proposed here after Jin et al. 2022, section 4 and App. K.1",
    )
