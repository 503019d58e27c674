"""Conv4: do networks whose accuracy drops most when they are pruned end up more accurate? From figA3's stored table.

Run `python docs/results/bartoldson/drops.py` after `figA3/` was written anew; nothing is trained.
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

import prunescope as ps
from prunescope.studies import correlation, report

HERE = Path(__file__).parent
EXAMPLES = 512
ARMS = ("Prune_S", "Prune_L")
PANELS = ("no augmentation", "with augmentation")
PLACE = "proposed here, after Bartoldson et al. 2019, appendix A.4"
POINTS = "percentage points of test accuracy"
NOTES = (
    "Drop: test accuracy before minus after an event, mean over 16 events, on 2,000 test images. Gain: accuracy of the "
    "whole test set at the end minus that of the unpruned network of the same seed.",
    "CIFAR-10 (JPEG copies), Conv4, five seeds. Seeds of one arm hardly differ in their drops, so within an arm there "
    "is little to correlate: p is two-sided, over five networks.",
    "Two arms differ in more than their drops: which weights go. A larger drop is not shown to be a cause.",
)


def read(name: str) -> list[dict[str, str]]:
    """The rows of one of figA3's tables."""
    with (HERE / "figA3" / "data" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def found() -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Drops and gains [replicates] by panel and arm."""
    drops, gains = defaultdict(list), {}
    for row in read("figa3-right"):
        panel, _, split = row["panel"].partition(", ")[2].partition(": ")
        if split == "test accuracy" and row["event"] == "True":
            drops[panel, row["arm"], int(row["replicate"])].append(float(row["before"]) - float(row["accuracy"]))
    for row in read("figa3-left"):
        if float(row["x"]) == EXAMPLES:
            gains[row["panel"], row["arm"], int(row["replicate"])] = float(row["test"])
    seeds = sorted({seed for *_, seed in gains})
    return {
        (panel, arm): {
            "drop": np.array([np.mean(drops[panel, arm, seed]) for seed in seeds]),
            "gain": np.array([gains[panel, arm, seed] for seed in seeds]),
        }
        for panel in PANELS
        for arm in ARMS
    }


def study() -> ps.Study:
    """Points, correlations within arms, and what the arm with larger drops gains over the other."""
    cells = found()

    def quantity(values: np.ndarray, label: str = "") -> ps.Quantity:
        return ps.Quantity(label, POINTS, (), lambda results: values)

    points = [
        ps.Rows({"panel": panel, "arm": arm}, {name: quantity(values) for name, values in cell.items()})
        for (panel, arm), cell in cells.items()
    ]
    table = []
    for (panel, arm), cell in cells.items():
        names = tuple(arm for _ in cell["drop"])
        r = correlation.pearson(correlation.Points(cell["drop"], cell["gain"], names, tuple(range(len(names)))))
        table.append({"panel": panel, "arm": arm, "correlation": r.estimate, "p": r.p, "n": r.n})
    apart = {p: {n: cells[p, ARMS[1]][n] - cells[p, ARMS[0]][n] for n in ("drop", "gain")} for p in PANELS}
    label, more = f"{ARMS[1]} minus {ARMS[0]}", ps.Direction("greater")
    claims = [
        ps.Claim(
            f"{part}s-{panel.replace(' ', '-')}",
            f"With {EXAMPLES} examples a class and {panel}, {what} when the largest weights go than the smallest.",
            quantity(apart[panel][part], label),
            more,
            place=PLACE,
        )
        for panel in PANELS
        for part, what in {"drop": "accuracy drops more", "gain": "the network is more accurate at the end"}.items()
    ]
    return ps.Study(
        "bartoldson2019/drops",
        "Are networks whose accuracy drops most when they are pruned more accurate at the end?",
        settings=ps.Prune(),
        scale=f"Conv4 on {EXAMPLES} images a class of CIFAR-10 (JPEG copies), 5 replicates",
        figures=(
            ps.Figure(
                "drops",
                "Gain at the end over the drop at events",
                caption="One point a network.",
                rows=points,
                plot=ps.Scatter(
                    "drop",
                    "gain",
                    series="arm",
                    x_label="drop at an event, points of test accuracy",
                    y_label="gain over no pruning, points of test accuracy",
                    line=False,
                ),
                claims=tuple(claims),
            ),
            ps.Figure(
                "correlations",
                "Within one arm, over its seeds",
                caption="Pearson's correlation of drop and gain over the five networks of an arm.",
                rows=[ps.Computed((), lambda results: table)],
                plot=ps.Listing(),
            ),
        ),
        notes=NOTES,
    )


if __name__ == "__main__":
    written = report.write(study(), {}, HERE / "figA3-drops", command="")  # type: ignore[arg-type]
    written.page.unlink()  # kept out of the repository, like every page
    print(written.sentence)
