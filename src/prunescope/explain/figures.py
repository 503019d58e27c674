"""What the report of an explanation shows: its first sentence, shares, arms, curves, controls."""

from collections.abc import Mapping, Sequence

import numpy as np

from prunescope.base.errors import PrunescopeError, TooFewReplicates, UsageError
from prunescope.explain.claims import WHOLE, intervals, told
from prunescope.explain.design import DENSE, Design
from prunescope.measures import Examples
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.studies import Claim, Computed, Figure, Lines, Quantity, Results, Rows, Verdict, arrays, column
from prunescope.studies.figure import with_gaps
from prunescope.studies.flips import flips
from prunescope.studies.numbers import number
from prunescope.studies.plot import Intervals, Listing, Row
from prunescope.studies.quantity import nodes_of
from prunescope.studies.statistics import mean_distance, t_interval


def sentence(design: Design, results: Results, verdicts: Sequence[Verdict]) -> str:
    """The effect, what it is made of, which parts are told from chance, and what seeds alone differ by."""
    error, parts = design.outcomes[0], intervals(verdicts)
    try:
        seeds = mean_distance(design.value(DENSE, error)(results))
        left = 100 * (1 - column(design.recipes(design.pruned), "sparsity")(results).mean())
        if not (whole := parts.pop(WHOLE)):
            raise TooFewReplicates(verdicts[0].why)
    except PrunescopeError as problem:
        if isinstance(problem, UsageError) and not isinstance(problem, TooFewReplicates):
            raise
        return f"What pruning did is not known: {problem}."
    to = "its best level" if design.how.level == "best" else f"{left:.3g} % of the weights"
    decided = bool(told(verdicts, [WHOLE]))
    sign = -1.0 if decided and whole.estimate < 0 else 1.0
    low, high = sorted((sign * whole.low, sign * whole.high))
    amount = f"{_short(sign * whole.estimate)} {error.unit} [{_short(low)}, {_short(high)}]"
    shown = {name: _short(sign * found.estimate if found else np.nan) for name, found in parts.items()}
    chance = (
        "no more than by chance" if whole.has_width else "the same in every replicate, which says nothing of chance"
    )
    verb, doubt = ("lowered" if sign < 0 else "raised", "") if decided else ("changed", f", {chance}")
    pieces = ", ".join(f"{part} of it {name}" if decided else f"{name} {part}" for name, part in shown.items())
    causes = ", ".join(told(verdicts, parts))
    because = f"told from chance: {causes}" if causes else "no part of it is told from chance"
    what = f"{verb} {error.label} by {amount}{doubt}: {pieces}"
    return f"Pruning to {to} {what}; {because}; seeds alone differ by {_short(seeds)}."


def _short(value: float) -> str:
    return number(float(f"{value:.2g}")) if np.isfinite(value) else "an unknown part"


def figures(design: Design, claims: tuple[Claim, ...], controls: Mapping[str, Quantity]) -> tuple[Figure, ...]:
    """All figures, the shares first."""
    error = design.outcomes[0]
    caption = (
        "What each factor changes: the mean over all orders in which the factors can be given one after the other, "
        "and its 95 % interval over replicates. The shares add up to the change by pruning. Another seed: the mean "
        "distance of two dense networks. "
        + " ".join(f"{factor.name.capitalize()}: {factor.says}." for factor in design.factors)
    )
    parts = _summaries("factor", {**design.parts(error), "all": design.effect(error)})
    drawn = Intervals("factor", "change", "low", "high", zero=True, x_label=f"change of {error.label}, {error.unit}")
    above = "The same shares as in the table, with their 95 % intervals."
    ways = "Changes of test error against the dense network. Early stopping: at the epoch best for other replicates."
    return (
        Figure("shares", "What pruning changed, by cause", caption=caption, rows=[_shares(design)], plot=Listing()),
        Figure("intervals", f"The shares in {error.label}", caption=above, rows=[parts], plot=drawn, claims=claims),
        Figure("arms", "All networks", caption="Means over replicates.", rows=[_arms(design)], plot=Listing()),
        _curves(design),
        *_answers(design),
        Figure("controls", "Other ways", caption=ways, rows=[_summaries("control", controls)], plot=Listing()),
    )


def _shares(design: Design) -> Computed:
    tables = []
    for outcome in design.outcomes:
        quantities = {**design.parts(outcome), "all: pruning": design.effect(outcome)}
        seeds = design.value(DENSE, outcome).map(lambda v: [mean_distance(v) if np.isfinite(v).all() else np.nan])
        tables.append((f"{outcome.label}, {outcome.unit}", _summaries("factor", quantities), seeds))

    def rows(results: Results) -> list[Row]:
        found: list[Row] = []
        for name, summaries, seeds in tables:
            found += [{"of": name, **row} for row in summaries.table(results)]
            found.append({"of": name, "factor": "another seed", "change": float(with_gaps(seeds, results)[0])})
        return found

    return Computed([node for _, part, _ in tables for node in part.nodes], rows)


def _summaries(kind: str, quantities: Mapping[str, Quantity]) -> Computed:
    """Mean and 95 % interval of quantities, a row each; not a number where a replicate is not known."""

    def summary(quantity: Quantity, results: Results) -> dict[str, object]:
        values = with_gaps(quantity, results)
        if not np.isfinite(values).all():
            return {"change": np.nan, "low": np.nan, "high": np.nan, "n": int(np.isfinite(values).sum())}
        interval = t_interval(values)
        return {"change": interval.estimate, "low": interval.low, "high": interval.high, "n": len(values)}

    return Computed(
        nodes_of(quantities.values()),
        lambda results: [{kind: name, **summary(part, results)} for name, part in quantities.items()],
    )


def _arms(design: Design) -> Computed:
    values = {
        design.name(cell): {f"{out.label}, {out.unit}": design.value(cell, out) for out in design.outcomes}
        for cell in design.cells
    }

    def rows(results: Results) -> list[Row]:
        return [
            {"arm": name, **{label: float(with_gaps(value, results).mean()) for label, value in row.items()}}
            for name, row in values.items()
        ]

    return Computed(nodes_of(value for row in values.values() for value in row.values()), rows)


def _curves(design: Design) -> Figure:
    """The dense and the pruned network beside those that are one factor away from either, a panel each."""
    error, epoch, rows, flat = design.outcomes[0], design.base.clock().epoch_steps, [], dict[str, None]()
    for panel, away in (("one factor alone", 1), ("all factors but one", len(design.factors) - 1)):
        for cell in (c for c in design.cells if c in (DENSE, design.pruned) or len(c) == away):
            passes, labels = list(zip(*design.chains(cell, design.how.levels), strict=True)), {"panel": panel}
            flat |= {design.name(cell): None} if len(passes) == 1 else {}
            for runs in passes:
                values = {"epochs": column(runs, "step").map(lambda step: step / epoch)}
                values["error"] = design.read(runs, error)
                rows.append(Rows(labels | {"arm": design.name(cell)}, values))
    return Figure(
        "curves",
        "The networks as they train",
        caption="Error on the test examples after every pass of the schedule; dashed: networks that have one pass. The "
        "dense and the pruned network, and those that are one factor away from one of the two.",
        rows=rows,
        plot=Lines("epochs", "error", series="arm", y_label=error.label, references=tuple(flat), share_y=False),
    )


def _answers(design: Design) -> list[Figure]:
    if not design.base.task.target.decides:
        return []  # an answer is a number, neither right nor wrong
    dense, pruned = (
        arrays([Reading(measure=Examples(split="test"), state=final(run)) for run in runs], "correct")
        for runs in (design.dense, design.recipes(design.pruned))
    )

    def rows(results: Results) -> list[Row]:
        right = with_gaps(dense, results), with_gaps(pruned, results)
        return list(flips(*right)) if all(np.isfinite(part).all() for part in right) else []

    caption = (
        "Percent of a group of test examples that the dense network gets right and the pruned one at the last level "
        "wrong (lost), or the other way round (won); the same between two dense networks; the difference with its 95 % "
        "interval. Groups are made by dense networks other than the two compared."
    )
    table = Computed(nodes_of((dense, pruned)), rows)
    return [Figure("answers", "Answers lost and won", caption=caption, rows=[table], plot=Listing())]
