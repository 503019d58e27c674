"""To whom: what pruning did to every class by its name, and to every group of examples of the user's own."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

import prunescope as ps
from prunescope.papers.readings import at_end
from prunescope.studies import statistics
from prunescope.tasks.data.groups import columns, grouping


def of_whom(
    dense: Sequence[ps.Recipe], sparse: Mapping[str, Sequence[ps.Reading]], *, caption: str = ""
) -> Iterator[ps.Figure]:
    """A table of the classes, and one of each column of groups that the data have, worst first.

    dense: the dense replicates. sparse: the readings of `on_test` of pruned ones at equal seeds, by panel.
    caption: what else is to be said.
    """
    source = dense[0].task.data.source
    figure = partial(_figure, dense, sparse, caption)
    if dense[0].task.target.classifies:
        labels = at_end(dense[0], ps.Labels(split="test"))
        title = "Who loses: every class, worst first"
        yield figure("classes-named", title, "class", source.class_names, labels, kind="classes")
    for number, column in enumerate(columns(source.digest)):
        groups = grouping(source.digest, column)
        if "test" in groups.codes:
            title, codes = f"Who loses: groups by {column}, worst first", groups.codes["test"].numpy()
            yield figure(f"groups-named-{number}", title, column, groups.names, codes, kind="groups")


def _figure(
    dense: Sequence[ps.Recipe],
    sparse: Mapping[str, Sequence[ps.Reading]],
    caption: str,
    name: str,
    title: str,
    column: str,
    names: Sequence[str],
    group: NDArray[np.int64] | ps.Reading,
    *,
    kind: str,
) -> ps.Figure:
    """group: of every test example, or the reading of their labels. kind: what the groups are together."""
    before, labels = on_test(dense), [group] if isinstance(group, ps.Reading) else []

    def rows(after: Sequence[ps.Reading], results: ps.Results) -> list[ps.Row]:
        wrong = [np.stack([~np.asarray(results[reading]["correct"]) for reading in row]) for row in (before, after)]
        of = np.asarray(results[group]["label"]) if isinstance(group, ps.Reading) else group
        return named(of, *wrong, name=column, names=names)

    return ps.Figure(
        name,
        title,
        caption="Test error in percent, mean over replicates, of the dense and of the pruned network. lost and won: "
        "test examples that more replicates get wrong after pruning than before, and the other way round. p: exact "
        f"McNemar test that as many are lost as won; p_holm: adjusted for all {kind} of the table.{caption}",
        rows=[
            ps.Computed((*labels, *before, *after), partial(rows, after), {"panel": panel})
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
