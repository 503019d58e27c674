"""The training examples that pruning gives up first: which they are, and how many of them have a flipped label.

Belongs here: the order, its precision, the contact sheet, the claim. Does not belong here: retraining without them
(`leave_out.py`), drawing (`studies/sheets.py`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from prunescope.measures import Labels
from prunescope.papers.jin2022.arms import Numbers
from prunescope.papers.jin2022.leave_out import LeaveOut, examples
from prunescope.papers.jin2022.statements import POINTS, fits_noise, is_sparse
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.studies import statistics
from prunescope.studies.claim import Claim
from prunescope.studies.figure import Figure, Lines, Sheet
from prunescope.studies.region import Direction
from prunescope.studies.results import Results

FIRST = 64
"""How many images are shown, and on how many the claim is judged; proposed."""
SHOWN = 0
"""The replicate whose images are shown."""


def labels(case: LeaveOut) -> list[Reading]:
    """The labels of a case's training examples, one reading a replicate."""
    dense = case.bench.row("dense", case.noise, 0)
    return [Reading(measure=Labels(split="train"), state=final(point.recipe)) for point in dense]


def order(gain: Numbers) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Examples by how much pruning raises their loss, most first, ties by index: int64 [N].

    gain: loss of the dense minus that of the sparse network, [N], nats.
    """
    return np.asarray(np.argsort(gain, kind="stable"))


def precision(results: Results, case: LeaveOut, number: int, *, first: int = FIRST) -> tuple[float, float]:
    """Percent of flipped labels among the first examples given up of a replicate, and among all."""
    noisy = results[examples(case.sparse[number])]["noisy"]
    chosen = order(results[case.gains[number]]["difference"])[:first]
    return 100 * float(noisy[chosen].mean()), 100 * float(noisy.mean())


def sheet(cases: Sequence[LeaveOut], *, name: str) -> Figure:
    """The images given up first, one panel a noise level."""

    def table(results: Results) -> list[dict[str, object]]:
        return [row for case in cases if case.is_sparse(results) for row in _rows(results, case)]

    return Figure(
        name,
        f"The {FIRST} training images that pruning gives up first",
        caption="Training images in order of how much their loss rises from the dense network to the sparse one, first "
        "replicate, each with the label used and the sparse network's prediction. Coloured: the label was flipped by "
        "us. The others are where to look for labels that were wrong all along. Nothing is shown where no sparse "
        "network generalizes better than the dense one.",
        table=table,
        plot=Sheet(cases[0].bench.base.task.data.source),
        lineage={case.panel: [p.recipe for p in case.bench.row("dense", case.noise, 0)] for case in cases},
    )


def _rows(results: Results, case: LeaveOut) -> list[dict[str, object]]:
    """One row an image of the sheet."""
    gain = results[case.gains[SHOWN]]["difference"]
    told, seen = results[labels(case)[SHOWN]], results[examples(case.sparse[SHOWN])]
    return first_given_up(case.panel, gain, told=told, seen=seen)


def first_given_up(
    panel: str, gain: Numbers, *, told: Mapping[str, Numbers], seen: Mapping[str, Numbers]
) -> list[dict[str, object]]:
    """The first examples in that order, one row each, as a `Sheet` wants them.

    gain: as for `order`. told: what `Labels` says of the training examples; seen: what `Examples` says of the sparse
    network on them.
    """
    return [
        {
            "panel": panel,
            "rank": rank,
            "index": int(told["index"][row]),
            "label": int(told["label"][row]),
            "label_before_noise": int(told["clean"][row]),
            "prediction": int(seen["prediction"][row]),
            "loss_rise": -float(gain[row]),
            "marked": bool(seen["noisy"][row]),
        }
        for rank, row in enumerate(order(gain)[:FIRST].tolist(), 1)
    ]


def precision_figure(cases: Sequence[LeaveOut], *, name: str, title: str) -> Figure:
    """How many of the examples given up first have a flipped label, by the length of the list."""

    def table(results: Results) -> list[dict[str, object]]:
        return [
            {"panel": case.panel, "replicate": number, **row}
            for case in cases
            if case.is_sparse(results)
            for number, (gain, run) in enumerate(zip(case.gains, case.sparse, strict=True))
            if gain in results
            for row in precisions(results[gain]["difference"], results[examples(run)]["noisy"])
        ]

    return Figure(
        name,
        title,
        caption="Training examples in order of how much pruning raises their loss: the share of flipped labels among "
        "the first n, beside the share among all (dashed). The data hold an exact 95 % interval for each replicate.",
        table=table,
        plot=Lines(
            "examples",
            "precision",
            series="series",
            x_label="first n examples",
            y_label="flipped labels among them, %",
            log_x=True,
            references=("among all",),
        ),
        lineage={case.panel: [p.recipe for p in case.bench.row("dense", case.noise, 0)] for case in cases},
    )


def precisions(gain: Numbers, noisy: Numbers) -> list[dict[str, object]]:
    """Percent of flipped labels among the first n examples given up, n = 1, 2, 4, ... N, with a 95 % interval.

    gain: dense minus sparse loss, [N]; noisy: bool [N].
    """
    hits = np.cumsum(noisy[order(gain)])
    total = len(gain)
    lengths = [2**k for k in range(total.bit_length()) if 2**k < total] + [total]
    rows: list[dict[str, object]] = []
    for n in lengths:
        found = statistics.clopper_pearson(int(hits[n - 1]), n)
        ends = {"low": 100 * found.low, "high": 100 * found.high}
        rows.append({"series": "given up first", "examples": n, "precision": 100 * found.estimate, **ends})
        rows.append({"series": "among all", "examples": n, "precision": 100 * float(hits[-1]) / total})
    return rows


def mostly_mislabeled(case: LeaveOut) -> Claim:
    """Flipped labels are more frequent among the examples given up first than among all (proposed)."""

    def sample(results: Results) -> list[float]:
        pairs = [precision(results, case, number) for number in range(case.bench.replicates)]
        return [found - base for found, base in pairs]

    return Claim(
        f"first-given-up-are-mislabeled-{100 * case.noise:g}",
        f"At {case.panel}, flipped labels are more frequent among the {FIRST} training examples that pruning gives up "
        "first than among all.",
        basis="proposed",
        place="proposed here after Jin et al. 2022, section 4 and App. K.1",
        region=Direction("greater"),
        sample=sample,
        preconditions=(fits_noise(case.bench, case.noise), is_sparse(case.bench, case.noise, rule=case.rule)),
        unit=f"{POINTS}, share of flipped labels among the first {FIRST} minus among all",
    )
