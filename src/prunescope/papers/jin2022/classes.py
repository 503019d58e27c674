"""Test error class by class, over sparsity and over width, without label noise."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.base.errors import PrunescopeError
from prunescope.measures import ClassRisk
from prunescope.papers.jin2022.arms import LABELS, Arm, Benchmark, Numbers
from prunescope.papers.jin2022.claims import MORE, Says, by_chance, no_more_than_by_chance
from prunescope.papers.jin2022.figures import OVER_SPARSITY
from prunescope.papers.jin2022.quantities import ERROR, rank_agreement, remaining
from prunescope.papers.readings import at_end
from prunescope.studies import statistics
from prunescope.tasks.data.groups import columns, grouping

MARGIN = 0.5
"""Percentage points by which a class has to lose to count as harmed; proposed."""
NOISE = 0.0
"""Section 7 speaks of training without label noise."""
SUMMARIES: Mapping[str, Callable[[Numbers], float]] = {
    "worst class": np.nanmax,
    "mean over classes": np.nanmean,
    "best class": np.nanmin,
}
"""What is drawn of the changes of all classes."""


def changes(bench: Benchmark, arm: Arm, level: int) -> ps.Quantity:
    """Test error of each class minus the dense network's, percentage points, [replicates, classes].

    Not a number for a class without test examples, of which nothing is known.
    """
    sparse, dense = (
        ps.each(
            lambda risk: np.where(risk["examples"] > 0, risk["error"], np.nan),
            [at_end(p.recipe, ClassRisk(split="test")) for p in row],
            unit=ERROR,
        )
        for row in (bench.row(arm, NOISE, level), bench.row("dense", NOISE, 0))
    )
    return (sparse - dense).map(lambda change: 100 * change)


def tested(change: ps.Quantity) -> ps.Quantity:
    """The same without the classes that have no test examples."""
    return change.map(lambda classes: classes[:, ~np.isnan(classes).all(axis=0)])


def figure(bench: Benchmark, arms: Sequence[Arm], *, claims: Sequence[ps.Claim] = ()) -> ps.Figure:
    """The change of the worst and of the best class over weights remaining, one panel an arm."""
    return ps.Figure(
        "classes",
        "Section 7: change in test error by class",
        caption="Test error of a class minus the dense network's on it, without label noise: the class that changes "
        "most for the worse, for the better, and the mean over classes. The worst of several classes lies above 0 "
        "by chance alone; the same of the mildest levels shows by how much.",
        rows=[_rows(bench, arm, level) for arm in arms for level in bench.levels_of(arm, NOISE)[1:]],
        plot=ps.Lines(
            "weights_remaining", "change", series="series", y_label="change in test error, points", **OVER_SPARSITY
        ),
        claims=tuple(claims),
    )


def _rows(bench: Benchmark, arm: Arm, level: int) -> ps.Computed:
    """The summaries and the change of every class, whose number only the results say."""
    change, x = changes(bench, arm, level), remaining(bench, arm, NOISE, level)

    def rows(results: ps.Results) -> Iterator[ps.Row]:
        for number, (classes, weights) in enumerate(zip(change(results), x(results), strict=True)):
            by_class = {f"class_{place}": float(value) for place, value in enumerate(classes)}
            for name, summary in SUMMARIES.items():
                shared = {"series": name, "replicate": number, "level": level, "weights_remaining": float(weights)}
                yield {**shared, "change": float(summary(classes)), **by_class}

    def table(results: ps.Results) -> ps.Table:
        with contextlib.suppress(PrunescopeError):
            return list(rows(results))
        return []

    return ps.Computed(ps.nodes_of([change, x]), table, {"panel": LABELS[arm]})


def named_figures(bench: Benchmark) -> Iterator[ps.Figure]:
    """Every class by name, and every group of the user's own: what the best and the last level of pruning do to it."""
    source = bench.base.task.data.source
    labels = at_end(bench.row("dense", NOISE, 0)[0].recipe, ps.Labels(split="test"))
    of_class = Groups("class", source.class_names, [labels], lambda results: np.asarray(results[labels]["label"]))
    yield _named_figure(bench, of_class, "classes-named", "Who loses: every class, worst first")
    for number, column in enumerate(columns(source.digest)):
        groups = grouping(source.digest, column)
        if "test" in groups.codes:
            own = Groups(column, groups.names, [], partial(_codes, groups.codes["test"].numpy()), kind="groups")
            yield _named_figure(bench, own, f"groups-named-{number}", f"Who loses: groups by {column}, worst first")


@dataclass(frozen=True)
class Groups:
    """Groups of the test examples.

    name: what a group is: a class, or the name of a column of the user's own.
    names: of the groups 0, 1, ...; empty where they have none.
    nodes: what must be computed to know them.
    of: from results to the group of each example, int64 [N].
    kind: what they are together.
    """

    name: str
    names: Sequence[str]
    nodes: Sequence[ps.Reading]
    of: Callable[[ps.Results], NDArray[np.int64]]
    kind: str = "classes"


def _codes(codes: NDArray[np.int64], results: ps.Results) -> NDArray[np.int64]:
    return codes


def _named_figure(bench: Benchmark, groups: Groups, name: str, title: str) -> ps.Figure:
    dense = on_test([point.recipe for point in bench.row("dense", NOISE, 0)])
    sparse = {
        "best level": on_test(bench.chosen("pruned", NOISE)),
        f"level {bench.levels}": on_test([point.recipe for point in bench.row("pruned", NOISE, bench.levels)]),
    }

    def rows(after: Sequence[ps.Reading], results: ps.Results) -> list[ps.Row]:
        wrong = [np.stack([~np.asarray(results[reading]["correct"]) for reading in row]) for row in (dense, after)]
        return named(groups.of(results), *wrong, name=groups.name, names=groups.names)

    return ps.Figure(
        name,
        title,
        caption="Test error in percent, mean over replicates, of the dense and of the pruned network. lost and won: "
        "test examples that more replicates get wrong after pruning than before, and the other way round. p: exact "
        f"McNemar test that as many are lost as won; p_holm: adjusted for all {groups.kind} of the level. The best "
        "level is chosen on "
        f"{'held-out examples' if bench.base.task.data.validation else 'the same test set'}.",
        rows=[
            ps.Computed((*groups.nodes, *dense, *after), partial(rows, after), {"panel": panel})
            for panel, after in sparse.items()
        ],
        plot=ps.Listing(),
    )


def on_test(runs: Sequence[ps.Value]) -> list[ps.Reading]:
    """What each network says of every test example."""
    return [at_end(run, ps.Examples(split="test")) for run in runs]


def named(
    group: NDArray[np.int64],
    dense: NDArray[np.bool_],
    sparse: NDArray[np.bool_],
    *,
    name: str = "class",
    names: Sequence[str] = (),
) -> list[ps.Row]:
    """What happened to each group of examples, the worst first; those without examples come last, without numbers.

    group: the group of each example, [N], from 0. dense, sparse: whether a replicate errs on it, [R, N].
    name: the column of the groups. names: of groups 0, 1, ...; their numbers where they have none.
    """
    net = sparse.sum(axis=0) - dense.sum(axis=0)  # of all replicates, how many more err on an example
    rows: list[dict[str, object]] = []
    for number in range(max(int(group.max()) + 1, len(names))):
        members = group == number
        row: dict[str, object] = {name: names[number] if names else number, "examples": int(members.sum())}
        if members.any():
            before, after = (100 * float(wrong[:, members].mean()) for wrong in (dense, sparse))
            lost, won = int((net[members] > 0).sum()), int((net[members] < 0).sum())
            row |= {"dense": before, "pruned": after, "change": after - before}
            row |= {"lost": lost, "won": won, "p": statistics.mcnemar(lost, won)}
        rows.append(row)
    tested = [row for row in rows if "p" in row]
    for row, p in zip(tested, statistics.holm([float(str(row["p"])) for row in tested]), strict=True):
        row["p_holm"] = p
    return sorted(rows, key=lambda row: -float(str(row.get("change", "-inf"))))


def harm(bench: Benchmark) -> Iterator[ps.Claim]:
    """One level harms no class, the last one does, and a narrow network harms the same ones (section 7)."""
    first, last = (tested(changes(bench, "pruned", level)) for level in (1, bench.levels))
    narrowest = tested(changes(bench, "width", bench.depth("width", NOISE)))
    place = "section 7 (of groups of examples; classes are left open there)"
    says = partial(Says(bench), place=place, statement="class-harm")
    text = (
        f"one level of pruning raises the test error of no more classes by {MARGIN:g} points than the paper's rule "
        f"finds where nothing differs ({100 * by_chance(bench.replicates):.0f} %)"
    )
    region = no_more_than_by_chance(bench.replicates, margin=MARGIN)
    yield says("class-harm-comes-late", first.named(unit="share of classes not harmed"), region, text)

    worst_last, worst_first = (
        change.map(lambda classes: classes.max(axis=1), label=f"worst class, {level} level")
        for change, level in ((last, "last"), (first, "first"))
    )
    text = f"the test error of the class that pruning harms most rises by more at level {bench.levels} than at level 1"
    yield says("class-harm-grows", worst_last - worst_first, MORE, text)

    text = (
        "the classes whose test error rises most at the highest sparsity are those whose error rises most in the "
        "narrowest dense network"
    )
    region = ps.CorrelationDirection("greater", ranked=int(bench.base.task.network.args["classes"]))
    yield says("class-harm-is-of-size", rank_agreement(last, narrowest, over="classes"), region, text)
