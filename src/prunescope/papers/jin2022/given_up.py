"""The training examples that pruning gives up first: which they are, and how many of them have a flipped label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.papers.jin2022.arms import Numbers
from prunescope.papers.jin2022.claims import MORE, Says
from prunescope.papers.jin2022.leave_out import LeaveOut
from prunescope.papers.readings import at_end
from prunescope.studies.flips import found_among

FIRST = 64
"""How many images are shown, and on how many the claim is judged; proposed."""
SHOWN = 0
"""The replicate whose images are shown."""


def order(gain: Numbers) -> NDArray[np.int64]:
    """Examples by how much pruning raises their loss, most first, ties by index: int64 [N].

    gain: loss of the dense minus that of the sparse network, [N], nats.
    """
    return np.asarray(np.argsort(gain, kind="stable"))


def precision(series: str, order: NDArray[np.int64], noisy: NDArray[np.bool_]) -> list[ps.Row]:
    """Percent of changed labels among the first n of a list, n = 1, 2, 4, ... and all of it, with a 95 % interval.

    order: places of examples, most suspect first. noisy: bool [N], whether the label of an example was changed.
    """
    lengths = [2**k for k in range(len(order).bit_length()) if 2**k < len(order)] + [len(order)]
    return list(found_among(noisy[order], lengths, {"series": series}, "precision"))


def precision_plot(changed: str) -> ps.Lines:
    """The rows of `precision` over the length of the list; changed: how labels were."""
    return ps.Lines(
        "examples",
        "precision",
        series="series",
        x_label="first n examples",
        y_label=f"{changed} labels among them, %",
        log_x=True,
        references=("among all",),
    )


def first_given_up(case: LeaveOut) -> ps.Computed:
    """The first examples in that order, one row each, as a `Sheet` wants them."""
    dense, sparse = case.bench.row("dense", case.noise, 0)[SHOWN], case.sparse_examples[SHOWN]
    labels = at_end(dense.recipe, ps.Labels(split="train"))

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

    return ps.Computed((labels, dense.examples, sparse), rows, {"panel": case.panel})


def precision_figure(cases: Sequence[LeaveOut]) -> ps.Figure:
    """How many of the examples given up first have a flipped label, by the length of the list."""
    return ps.Figure(
        "app-k-precision",
        "Are the examples that pruning gives up first the mislabeled ones?",
        caption="Training examples in order of how much pruning raises their loss: the share of flipped labels among "
        "the first n, beside the share among all (dashed). The data hold an exact 95 % interval for each replicate.",
        rows=[case.where_sparse(_precisions(case)) for case in cases],
        plot=precision_plot("flipped"),
        claims=tuple(map(_are_mislabeled, cases)),
    )


def _precisions(case: LeaveOut) -> ps.Computed:
    def rows(results: ps.Results) -> list[ps.Row]:
        return [
            {"replicate": number, **row}
            for number, (gain, reading) in enumerate(zip(case.gains, case.sparse_examples, strict=True))
            if gain in results
            for row in precisions(results[gain]["difference"], results[reading]["noisy"])
        ]

    return ps.Computed((*case.gains, *case.sparse_examples), rows, {"panel": case.panel})


def precisions(gain: Numbers, noisy: NDArray[np.bool_]) -> list[ps.Row]:
    """`precision` of the order of `gain`, and among all examples, n by n."""
    among_all = {"series": "among all", "precision": 100 * float(noisy.mean())}
    by_length = precision("given up first", order(gain), noisy)
    return [row for first in by_length for row in (first, among_all | {"examples": first["examples"]})]


def _are_mislabeled(case: LeaveOut) -> ps.Claim:
    def excess(gains: Numbers, noisy: Numbers) -> list[float]:
        pairs = zip(gains, noisy, strict=True)
        return [100 * float(flipped[order(gain)[:FIRST]].mean() - flipped.mean()) for gain, flipped in pairs]

    gains, noisy = ps.arrays(case.gains, "difference"), ps.arrays(case.sparse_examples, "noisy")
    label = f"flipped labels among the first {FIRST} minus among all"
    more = ps.combined(excess, gains, noisy, label=label, unit="percentage points")
    text = (
        f"flipped labels are more frequent among the {FIRST} training examples that pruning gives up first than among "
        "all"
    )
    place = "proposed here after Jin et al. 2022, section 4 and App. K.1"
    says = Says(case.bench, case.noise, at=case.panel)
    return says("first-given-up-are-mislabeled", more, MORE, text, case.judgeable, place=place)
