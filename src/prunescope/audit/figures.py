"""What an audit shows: a title, a caption and the rows of every figure, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from prunescope.audit import examples
from prunescope.audit.evidence import AMONG
from prunescope.audit.tables import Findings
from prunescope.runs.graph.given import task_of
from prunescope.studies.figure import Computed, Figure
from prunescope.studies.plot import Intervals, Lines, Listing, NothingToShow, Plot, Row, Sheet
from prunescope.studies.results import Results
from prunescope.tasks.data.source import Inputs, are_images, in_words

if TYPE_CHECKING:
    from prunescope.audit.study import Audit

Rows = Callable[[Findings], Sequence[Row]]
BESIDE = ("twins low", "twins high")
LOSSES = Intervals(
    "title", "change", "low", "high", panel="network", x_label="points of error lost", zero=True, behind=BESIDE
)
SERIES = Lines(
    "sparsity", "value", series="series", x_label="sparsity, %", y_label=" ", share_y=False, references=("dense",)
)
JOINT = (
    "Net percentage points of examples that the dense network answers right and this one wrong, worst first, with "
    "intervals that hold jointly for all classes and groups. Grey: from the least to the largest change of the twins. "
    "The data have the excess over all dense networks."
)


class Shown(NamedTuple):
    """A figure: from findings to its rows, and how they are drawn, by default as they are."""

    name: str
    title: str
    caption: str
    rows: Rows
    plot: Plot = Listing()


def figures(audit: Audit) -> Iterator[Figure]:
    """All figures of an audit, what happened first."""
    for name, title, caption, rows, plot in (*_changes(audit), *_conditions(audit), *_lists(audit)):
        yield Figure(name, title, caption=caption, rows=[_computed(audit, rows)], plot=plot)
    if audit.why:
        yield from audit.weights.figures()


def _computed(audit: Audit, rows: Rows) -> Computed:
    def table(results: Results) -> Sequence[Row]:
        if found := rows(audit.read(results)):
            return found
        raise NothingToShow("There are none.")

    return Computed(audit.nodes, table)


def _changes(audit: Audit) -> Iterator[Shown]:
    caption = (
        "Means over the examples, and their change with its 95 % interval over examples (calibration error: debiased, "
        "over bins of equally many examples, interval by random halves). Beside it the twins' changes: mean, least, "
        "most. Calibration is never to be read alone: a network that is often wrong and knows it has little error."
    )
    yield Shown("measures", "What happened", caption, lambda found: found.measures)
    caption = (
        "Lost: right before, wrong now. Won: the other way round. p: exact, that as many are lost as won. The smallest "
        "visible change is the rise in error that these examples would have shown in 80 of 100 cases. Twins below."
    )
    yield Shown("flips", "Which answers changed", caption, lambda found: found.flips)
    yield Shown("classes", "Which classes lost", JOINT, lambda found: found.groups("class"), LOSSES)
    if audit.groups:
        yield Shown("groups", "Which groups lost", JOINT, lambda found: found.groups(), LOSSES)
    caption = (
        "Fifths of the examples by difficulty, which none of the networks compared judges: by the dense network's own "
        "loss its hardest examples would show a gain even where nothing was pruned. Where neighbours judge, they are "
        f"the nearest of {AMONG:,} examples of the other half, or of all where it has fewer. Joint intervals."
    )
    yield Shown("difficulty", "Were difficult examples lost?", caption, lambda found: found.difficulty, LOSSES)
    caption = (
        "Slope of the classes' change in accuracy on the dense network's accuracy by class: positive where weak "
        "classes lose more. Of twins it is mostly negative, since a class that was unlucky once recovers."
    )
    title = "Did weak classes lose more than strong ones?"
    yield Shown("distortion", title, caption, lambda found: found.distortion)
    if audit.twins:
        caption = (
            "Examples whose most frequent answer differs between pruned and dense networks, beside those between two "
            "sets of dense networks as large, over random sets. False discovery rate: the share that chance explains."
        )
        title = "Are answers changed by pruning, or by another seed?"
        yield Shown("exemplars", title, caption, lambda found: found.exemplars)
    if len(audit.pruned) + len(audit.controls) > 1:
        caption = "All pruned networks and controls by their sparsity; the dense one is dashed."
        yield Shown("series", "Over sparsity", caption, lambda found: found.series, SERIES)


def _conditions(audit: Audit) -> Iterator[Shown]:
    if len(audit.conditions) > ("shifted" in audit.conditions):
        caption = (
            "Error over the severity of a corruption of the same examples; at 0 there is none. The tables under-* have "
            "what happened, answers, classes and groups under every condition, with intervals for one at a time."
        )
        plot = Lines("severity", "error, %", series="series", panel="corruption", replicate="network", share_y=False)
        yield Shown("robustness", "Under corruptions", caption, lambda found: found.robustness, plot)
    if "shifted" in audit.conditions:
        title, caption = "On the shifted data", "As of the examples above."
        yield Shown("shifted", title, caption, lambda found: found.under["shifted"].measures)
        yield Shown("shifted-flips", f"{title}: answers", caption, lambda found: found.under["shifted"].flips)
        classes: Rows = lambda found: found.under["shifted"].groups("class")  # noqa: E731
        yield Shown("shifted-classes", f"{title}: classes", JOINT, classes, LOSSES)


def _lists(audit: Audit) -> Iterator[Shown]:
    listed, most = partial(_listed, audit), f"The first {examples.FIRST}; the file of examples has all."
    lost = f"Right before, wrong now; the label and what is said now, most confident first. {most}"
    yield listed("lost", "Lost examples", lost, _first(examples.lost), ("label", "prediction"))
    won = f"Wrong before, right now; what was said and the label, most confident first. {most}"
    yield listed("won", "Won examples", won, _first(examples.won), ("dense", "label"))
    caption = f"Right by every dense network, wrong by every pruned one, largest rise in loss first. {most}"
    title = "Given up by every pruned network"
    yield listed("given-up", title, caption, lambda found: examples.given_up(found.pruned)[: examples.FIRST])
    if audit.split == "train":
        return  # what a network was trained on tells nothing of whether a label is wrong
    caption = (
        "Examples that the dense networks, on average, answer otherwise than their label, the least probable label "
        f"first. {most}"
    )
    suspects: Rows = lambda found: examples.suspects(found.evidence)[: examples.FIRST]  # noqa: E731
    yield listed("suspects", "Labels to look at", caption, suspects, ("label", "prediction"))
    caption = (
        f"If {100 * examples.FLIPPED:g} % of the labels were flipped at random: the share of flipped ones among "
        "the first n suspects. Labels that are wrong already count as right here. The data have an exact interval."
    )
    plot = Lines("examples", "flipped, %", series="list", log_x=True, x_label="first n suspects")
    title = "What is that list worth?"
    yield Shown("precision", title, caption, lambda found: examples.precision(found.evidence), plot)


def _first(of: Callable[[Any], Sequence[Row]]) -> Rows:
    """The first examples of a list for every pruned network."""
    return lambda found: [
        {"network": one.other.name, **row} for one in found.pruned for row in of(one)[: examples.FIRST]
    ]


def _listed(
    audit: Audit, name: str, title: str, caption: str, rows: Rows, written: tuple[str, str] | None = None
) -> Shown:
    """A list of examples: as a contact sheet where they are pictures, otherwise with what their inputs are.

    written: columns of what stands below a picture, label and prediction; without, the list stays a list.
    """
    source = task_of(audit.dense).data.source
    part: Literal["train", "test"] = "test" if audit.split == "test" else "train"
    inputs: Inputs = getattr(source.load(), f"{part}_x")
    if are_images(inputs.shape):
        label, prediction = written or ("", "")
        sheet = Sheet(source, label=label, prediction=prediction, split=part, panel="network")
        return Shown(name, title, caption, rows, sheet if written else Listing())

    def described(found: Findings) -> list[Row]:
        plain = rows(found)
        texts = in_words(inputs, [int(str(row["index"])) for row in plain])
        return [{**row, "inputs": text} for row, text in zip(plain, texts, strict=True)]

    return Shown(name, title, caption, described)
