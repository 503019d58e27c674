"""Judges a stored report of `jin2022/column` anew, from its tables, where the runs themselves are gone.

`python tools/rejudge.py docs/results/jin2022/lenet` writes README.md, summary.json and the figures that are new, and
leaves data and figures of runs as they are. What a claim is about is read off the tables, number by number; where they
hold no more than a sample that was judged before (`values` in summary.json), that sample is judged by today's rules. A
claim whose numbers are in neither is "not run" and says so. The data set must be there, since the study names it.
"""

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from prunescope.measures import ClassRisk
from prunescope.papers.jin2022 import app_e, column
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark, Rule
from prunescope.papers.jin2022.leave_out import LeaveOut, cases, without_share
from prunescope.papers.jin2022.settings import arms
from prunescope.papers.jin2022.subgroups import WHERE, Subgroups, subgroups
from prunescope.papers.readings import at_end, noise_name, risk_on_test
from prunescope.runs.store.results import Missing
from prunescope.studies import report
from prunescope.studies.claim import Claim
from prunescope.studies.extent import Extent
from prunescope.studies.figure import Figure
from prunescope.studies.plot import Listing
from prunescope.studies.quantity import Quantity

GONE = "is in no table of this report, and its runs are gone"
DECIDED = ("reproduced", "contradicted", "inconclusive")
OTHERWISE = "gain-survives-cross-fitting"
"""Whose sample is made in another way today."""
FIFTHS = ("harm-comes-late", "group-harm-is-of-size")
"""Which ask for more groups than the fifths that tables hold at every level."""
FITS = "the dense network fits its clean training set"
"""What every claim asks for that was judged when the runs were there."""


class Partial(dict):
    """What the tables hold of one reading; the rest of it is missing."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> np.ndarray:
        raise Missing(f"{name!r} {GONE}")


class Tables:
    """Results as far as a report's tables hold them. Losses without label noise are differences to dense ones."""

    def __init__(self, folder: Path, bench: Benchmark, sub: Subgroups) -> None:
        self.folder, self.values = folder, dict[str, Partial]()
        by_label = {label: arm for arm, label in LABELS.items()}
        noises = {noise_name(noise): noise for noise in bench.noises}
        tests = bench.base.task.data.source.test
        for row in (row for name in ("fig6", "fig7") for row in self.rows(name)):
            arm, level, number = by_label[row["arm"]], int(row["level"]), int(row["replicate"])
            point = bench.row(arm, noises[row["panel"]], level)[number]
            self.add(point.test, error=float(row["test_error"]) / 100, loss=float(row["test_loss"]), examples=tests)
            left = float(row["weights_remaining"]) / 100
            facts = {"parameters": 1e6 * left} if arm == "width" else {"sparsity": 1 - left}
            if arm != "extended":  # which is drawn at the weights remaining of the pruned network
                self.add(point.recipe, **facts)
        for noise in bench.noisy():
            for row in self.rows(f"fig4-{100 * noise:g}"):
                part = row["examples"]
                if part in ("original", "noisy"):
                    point = bench.row("pruned", noise, int(row["level"]))[int(row["replicate"])]
                    self.add(point.train, **{f"{part}_loss": float(row["train_loss"])})
                    self.add(point.train, **{f"{part}_error": 1 - float(row["fitted"]) / 100})
                    if part == "noisy":
                        self.add(point.train, noisy_true_error=float(row["true_error"]) / 100)
        for arm, noise, rule, changes in self.groups(bench):
            for node, change in zip(sub.differences(arm, noise, rule), changes, strict=True):
                self.add(node, difference=change)
        self._mean_losses(bench)
        self._fifths(bench, sub)
        self._retrained(bench)
        for arm in ("pruned", "width"):
            self._classes(bench, arm)

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / "data" / f"{name}.csv").open() as file:
            return list(csv.DictReader(file))

    def groups(self, bench: Benchmark) -> Iterator[tuple[Arm, float, Rule, np.ndarray]]:
        """Change in loss by group at the levels that rules pick: [replicates, groups]."""

        def of(name: str, panel: str, series: str) -> np.ndarray:
            rows = [row for row in self.rows(name) if (row["panel"], row["series"]) == (panel, series)]
            values = [
                [float(row["difference"]) for row in rows if int(row["replicate"]) == n] for n in range(replicates)
            ]
            return np.array(values)

        replicates = bench.replicates
        for rule, where in WHERE.items():
            yield "pruned", 0.0, rule, of("fig2", where, "pruned")
        for noise in bench.noisy():
            yield "pruned", noise, "optimal", of("fig5", WHERE["optimal"], noise_name(noise))
        for noise in bench.noisy("width"):
            yield "width", noise, "optimal", of("app-i", noise_name(noise), LABELS["width"])

    def _mean_losses(self, bench: Benchmark) -> None:
        """Without label noise: the mean over fifths of equal size, the dense network at 0."""
        bands = [row for row in self.rows("app-l-0") if row["panel"] == LABELS["pruned"]]
        for number, point in enumerate(bench.row("dense", 0.0, 0)):
            self.add(point.train, loss=0.0)
            for level in bench.levels_of("pruned", 0.0)[1:]:
                of_run = [row for row in bands if (int(row["replicate"]), int(row["level"])) == (number, level)]
                mean = float(np.mean([float(row["difference"]) for row in of_run]))
                self.add(bench.row("pruned", 0.0, level)[number].train, loss=mean)

    def _fifths(self, bench: Benchmark, sub: Subgroups) -> None:
        """Changes at every level, of fifths only: each group is given the mean of its fifth (see `FIFTHS`)."""
        for noise in (0.0, max(bench.noises)):
            rows = self.rows(f"app-l-{100 * noise:g}")
            for arm in ("pruned", "extended"):
                for level in bench.levels_of(arm, noise)[1:]:
                    for number, node in enumerate(sub.differences(arm, noise, level)):
                        wanted = (LABELS[arm], level, number)
                        of = [r for r in rows if (r["panel"], int(r["level"]), int(r["replicate"])) == wanted]
                        self.add(node, difference=np.repeat([float(r["difference"]) for r in of], sub.groups // 5))

    def _retrained(self, bench: Benchmark) -> None:
        """Test errors of networks trained without some examples."""
        shares = {"improved": "app-d", "worsened": "app-k"}
        keeps = {name: without_share(0.2, most) for most, name in shares.items()}
        keeps["app-e"] = (app_e.WRONG, app_e.NOISY, app_e.RANDOM)
        noises = bench.noises_of("extended")
        made = {"app-e": cases(bench, noises[1:], keeps["app-e"]), "app-k": cases(bench, noises, keeps["app-k"])}
        made["app-d"] = [LeaveOut(bench, where, 0.0, rule, keeps["app-d"]) for rule, where in WHERE.items()]
        for name, every in made.items():
            for case, keep in ((one, keep) for one in every for keep in one.keeps):
                wanted = (case.panel, keep.series)
                errors = [
                    float(row["test_error"]) for row in self.rows(name) if (row["panel"], row["series"]) == wanted
                ]
                for run, error in zip(case.recipes(keep), errors, strict=True):
                    self.add(risk_on_test(run), error=error / 100)

        for case in made["app-e"]:
            levels = {
                int(row["replicate"]): int(row["level"]) for row in self.rows("app-e") if row["panel"] == case.panel
            }
            for number, reading in enumerate(case.sparse_examples):
                point = bench.row("pruned", case.noise, levels[number])[number]
                errors, size = self.values[point.train.id], point.recipe.task.data.train_examples
                flipped = round(case.noise * size)
                wrong = flipped * errors["noisy_error"] + (size - flipped) * errors["original_error"]
                self.add(reading, correct=np.arange(size) >= np.round(wrong))

    def _classes(self, bench: Benchmark, arm: Arm) -> None:
        """Errors by class as differences to the dense network."""
        for row in self.rows("classes"):
            if (row["panel"], row["series"]) == (LABELS[arm], "worst class"):
                names = [name for name in row if name.startswith("class_")]
                change = [float(row[name]) / 100 for name in names]
                number = int(row["replicate"])
                dense, sparse = (bench.row(of, 0.0, n)[number] for of, n in (("dense", 0), (arm, int(row["level"]))))
                self.add(at_end(sparse.recipe, ClassRisk(split="test")), error=change, examples=np.ones(len(names)))
                self.add(
                    at_end(dense.recipe, ClassRisk(split="test")),
                    error=np.zeros(len(names)),
                    examples=np.ones(len(names)),
                )

    def add(self, node: object, **values: object) -> None:
        partial = self.values.setdefault(node.id, Partial())
        partial.update({name: np.asarray(value, dtype=np.float64) for name, value in values.items()})

    def __getitem__(self, node: object) -> Partial:
        if node.id not in self.values:
            raise Missing(f"what this is about {GONE}")
        return self.values[node.id]

    def __contains__(self, node: object) -> bool:
        return node.id in self.values


def gone(results: Tables) -> np.ndarray:
    """The value of what neither tables nor samples hold."""
    raise Missing(f"what this is about {GONE}")


def readable(quantity: Quantity, tables: Tables) -> bool:
    try:
        quantity(tables)
    except Missing:
        return False
    return True


def on_tables(claim: Claim, tables: Tables, before: dict) -> Claim:
    """The claim about the sample that was judged before, where the tables do not hold it; as it is otherwise."""
    judged = {name for name, one in before.items() if one["by_interval"] in DECIDED}
    fitted = "better-training" in judged
    needs = [p for p in claim.preconditions if not (fitted and p.says == FITS and not readable(p.quantity, tables))]
    old = before.get(claim.name, {})
    parts = old.get("region", "").startswith(("all", "at least"))  # of which only means are stored
    alike = old.get("unit", "").split(" ")[0] == claim.unit.split(" ")[0]
    if claim.name in FIFTHS and parts:
        claim = replace(claim, quantity=replace(claim.quantity, of=gone))
    if claim.name in judged and alike and not parts and not claim.name.startswith(OTHERWISE):
        values = np.array(old["values"])
        if claim.name in FIFTHS or not readable(claim.quantity, tables):
            claim = replace(claim, quantity=replace(claim.quantity, nodes=(), of=lambda results: values))
    return replace(claim, preconditions=tuple(needs))


def stored(figure: Figure, tables: Tables) -> report.Drawn:
    """A figure of the runs as it is stored; what is shown as a table, and what is new, from the tables."""
    kinds = (("figures", "svg"), ("data", "csv"))
    picture, data = (tables.folder / f"{kind}/{figure.name}.{end}" for kind, end in kinds)
    if picture.exists() and not isinstance(figure.plot, Listing):
        table = tuple(tables.rows(figure.name))
        return report.Drawn(figure, svg=picture.read_text(), csv=data.read_text(), table=table)
    return draw(figure, tables)


draw = report.draw
NOTE = (
    "Judged anew by `tools/rejudge.py` from the tables of this report, since its runs are no longer stored: by today's "
    "rules, as far as tables or samples that were judged before hold what a claim is about. What they do not hold was "
    "not run."
)


def costs(page: str) -> dict[str, str]:
    """The table of costs of a report."""
    rows = page.partition("## Cost")[2].partition("Made by")[0].splitlines()[4:]
    return dict(row.strip("| ").split(" | ") for row in rows if row.startswith("|"))


def rejudge(folder: Path) -> None:
    """Writes the page and the verdicts of a report anew."""
    before, page = json.loads((folder / "summary.json").read_text()), (folder / "README.md").read_text()
    fixed = {name: value for name, value in before["settings"].items() if name in column.Settings.model_fields}
    settings, scale = column.Settings(**fixed), before["scale"].partition(":")[0]
    study, size = column.build(settings, scale), settings.size(scale)
    bench = arms(size)
    tables, old = Tables(folder, bench, subgroups(bench, size)), {one["name"]: one for one in before["claims"]}
    claims = {claim.name: on_tables(claim, tables, old) for claim in study.claims}
    figures = [replace(figure, claims=tuple(claims[c.name] for c in figure.claims)) for figure in study.figures]
    was = before["extent"]
    cut = Extent(was["scale"], was["cut"], tuple(was["data"]), recalled=was["setting"] == "recalled")
    study = replace(
        study, figures=tuple(figures), claims=tuple(claims.values()), notes=(*study.notes, NOTE), extent=cut
    )
    report.draw = stored
    command = page.rpartition("Made by `")[2].partition("`")[0]
    written = report.write(study, tables, folder, cost=costs(page), command=command)
    written.page.unlink()
    print(*(f"{v.claim.basis:9} {v.interval_rule:28} {v.claim.name}" for v in written.verdicts), sep="\n")


if __name__ == "__main__":
    rejudge(Path(sys.argv[1]))
