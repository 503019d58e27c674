"""Figures over the weights that remain, for any methods of pruning at initialization.

Belongs here: what is drawn, once for all studies of data. Does not belong here: which runs there are (`arms.py`),
claims.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from prunescope.base.value import Value
from prunescope.papers.atinit.arms import Arms, Point, available, remaining
from prunescope.papers.atinit.ground import density
from prunescope.papers.atinit.methods import DENSE, REWOUND, control
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Lines, Row
from prunescope.studies.results import Results

Panels = Mapping[str, Sequence[str]]
"""The methods of every panel, by its title."""
REMAIN = "weights remaining, %"
NOTHING = 0.99
"""Share of the loss of guessing, log of the number of classes, from which a network has learned nothing."""


def noise_name(noise: float) -> str:
    """A noise level for people."""
    return f"{100 * noise:g} % label noise" if noise else "no label noise"


def under(noise: float) -> str:
    """The beginning of a sentence about a noise level."""
    return f"At {noise_name(noise)}" if noise else "Without label noise"


def groups(arms: Arms) -> dict[str, list[str]]:
    """The methods by the group that they are shown in; the rewound masks stand beside the dynamic ones."""
    found: dict[str, list[str]] = {}
    for method in arms.methods:
        found.setdefault(method.group, []).append(method.name)
    if arms.rewound:
        moving = found.pop("dynamic", [])
        found["dynamic, and rewound" if moving else "rewound"] = [*moving, REWOUND]
    return found


def error_figure(arms: Arms, panels: Panels, *, name: str = "error") -> Figure:
    """Test error over the weights that remain."""
    return Figure(
        name,
        "Test error over sparsity",
        caption="Test error of networks pruned before training and trained in full, and of the dense network (dashed). "
        "The band is one standard deviation over replicates, thin lines are replicates.",
        table=lambda results: rows(results, arms, panels),
        plot=_lines("test_error", "test error, %"),
        lineage=_lineage(arms),
    )


def fit_figure(arms: Arms, panels: Panels) -> Figure:
    """Training error over the weights that remain."""
    return Figure(
        "fit",
        "Training error over sparsity",
        caption="The same runs: error on the training set, against the labels that were trained on.",
        table=lambda results: rows(results, arms, panels),
        plot=_lines("train_error", "training error, %"),
    )


def memory_figure(arms: Arms, panels: Panels) -> Figure:
    """How many of the wrong labels are fitted over the weights that remain."""
    noises = [noise for noise in arms.ground.noises if noise > 0]
    return Figure(
        "memory",
        "Wrong labels that are fitted",
        caption="The same runs: share of the training examples with a wrong label for which the network says that "
        "label. A network that fits them has memorized noise.",
        table=lambda results: rows(results, arms, panels, noises=noises),
        plot=_lines("noisy_fitted", "wrong labels fitted, %"),
    )


def layer_figure(arms: Arms, panels: Panels) -> Figure:
    """The density of the layer that keeps least."""
    return Figure(
        "thinnest",
        "What the sparsest layer keeps",
        caption="Weights that remain in the layer that keeps the smallest share of its own. A curve ends where every "
        "replicate has lost a whole layer.",
        table=lambda results: [row for row in rows(results, arms, panels) if row["method"] != DENSE],
        plot=_lines("thinnest_layer", "weights remaining in the sparsest layer, %", log_y=True, dense=False),
    )


def collapse_figure(arms: Arms, panels: Panels) -> Figure:
    """How many networks have collapsed: a layer is empty, or nothing of the input arrives."""
    return Figure(
        "collapse",
        "Collapsed networks",
        caption="Share of replicates with a training loss within 1 % of guessing's or above: a layer has lost every "
        "weight (the data name it), or no path of weights leads from the input to the output. They are trained and "
        "shown like the others.",
        table=lambda results: [row for row in rows(results, arms, panels) if row["method"] != DENSE],
        plot=_lines("learned_nothing", "networks that learned nothing, %", dense=False),
    )


def pattern_figure(arms: Arms, noise: float) -> Figure:
    """Each score against its control: the same number of weights in every layer, but other ones."""
    names = [method.name for method in arms.methods if method.group == "scores"]
    labels = dict.fromkeys(names, "chosen by the score")
    labels |= {control(name): "shuffled within layers" for name in names}

    def table(results: Results) -> list[Row]:
        panels = {name: (name, control(name)) for name in names}
        found = rows(results, arms, panels, noises=(noise,))
        return [{**row, "weights": labels.get(str(row["method"]), DENSE)} for row in found]

    return Figure(
        "pattern",
        "Does the pattern matter, or only how many weights each layer keeps?",
        caption="Test error of masks by score, and of random masks with as many weights in each layer.",
        table=table,
        plot=_lines("test_error", "test error, %", series="weights"),
    )


def rows(results: Results, arms: Arms, panels: Panels, *, noises: Sequence[float] = ()) -> list[Row]:
    """One row a network of every panel, the dense ones in each; no noises means all there are."""
    found: list[Row] = []
    chosen = noises or arms.ground.noises
    for noise in chosen:
        for title, names in panels.items():
            panel = f"{title}, {noise_name(noise)}" if len(chosen) > 1 else title
            points = [p for p in arms.points if p.noise == noise and p.method in (DENSE, *names)]
            found += [
                {"panel": panel, **numbers(results, arms, point)} for point in available(results, points)
            ]
    return found


def numbers(results: Results, arms: Arms, point: Point) -> Row:
    """What is known of one network, in percent where it is a share."""
    test, train, layers = (results[node] for node in point.nodes)
    empty = arms.collapsed(results, point)
    thinnest = 100 * min(1 - float(value) for name, value in layers.items() if name != "sparsity")
    return {
        "method": point.method,
        "label_noise": 100 * point.noise,
        "replicate": point.replicate,
        "weights_asked": 100 * density(point.exponent),
        "weights_remaining": remaining(results, point),
        "test_error": 100 * float(test["error"]),
        "test_loss": float(test["loss"]),
        "train_error": 100 * float(train["error"]),
        "train_loss": float(train["loss"]),
        "noisy_fitted": 100 * (1 - float(train["noisy_error"])) if "noisy_error" in train else np.nan,
        "learned_nothing": 100.0 * (float(train["loss"]) >= NOTHING * np.log(arms.classes)),
        "thinnest_layer": np.nan if empty else thinnest,
        "empty_layers": len(empty),
        "which_are_empty": " ".join(empty),
    }


def _lines(y: str, y_label: str, *, series: str = "method", log_y: bool = False, dense: bool = True) -> Lines:
    # What was asked for: what remains differs by a little between replicates of random masks.
    return Lines(
        "weights_asked",
        y,
        series=series,
        x_label=REMAIN,
        y_label=y_label,
        log_x=True,
        log_y=log_y,
        reverse_x=True,
        references=(DENSE,) if dense else (),
    )


def _lineage(arms: Arms) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for point in arms.points:
        found.setdefault(f"{point.method}, {noise_name(point.noise)}", []).append(point.recipe)
    return found
