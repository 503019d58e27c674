"""What the report of an explanation shows: its first sentence, shares, arms, curves, controls."""

from collections.abc import Mapping

import numpy as np

from prunescope.base.errors import PrunescopeError, UsageError
from prunescope.explain.design import DENSE, Design
from prunescope.explain.outcomes import Outcome
from prunescope.explain.shares import NOTHING, first_cause
from prunescope.runs.graph.families import final
from prunescope.runs.graph.nodes import Reading
from prunescope.studies import Claim, Computed, Figure, Lines, Quantity, Results, Rows, column
from prunescope.studies.figure import with_gaps
from prunescope.studies.plot import Intervals, Listing, Row
from prunescope.studies.quantity import each, nodes_of
from prunescope.studies.report import number
from prunescope.studies.results import Numbers
from prunescope.studies.statistics import Interval, t_interval

WHOLE = "all together: pruning"
SEEDS = "another seed"


def sentence(design: Design, results: Results) -> str:
    """The effect, what it is made of, and what seeds alone differ by."""
    outcome = design.outcomes[0]
    try:
        whole = t_interval(design.effect(outcome)(results))
        seeds = between_seeds(design.value(DENSE, outcome)(results))
    except UsageError:
        raise
    except PrunescopeError as problem:
        return f"What pruning did is not known: {problem}."
    parts = {factor.name: with_gaps(design.share(factor.name, outcome), results) for factor in design.factors}
    sign = -1.0 if whole.estimate < 0 else 1.0
    verb = "lowered" if sign < 0 else "raised"
    told = whole.low > 0 or whole.high < 0
    low, high = sorted((sign * whole.low, sign * whole.high))
    effect = f"{verb} {outcome.label} by {_short(abs(whole.estimate))} {outcome.unit} [{_short(low)}, {_short(high)}]"
    pieces = ", ".join(f"{_part(sign * values)} {name}" for name, values in parts.items())
    cause = first_cause(parts)
    because = "no part of it is told from nothing" if cause == NOTHING else f"its first cause is {cause}"
    doubt = "" if told else ", which is not told from nothing"
    return f"{_to(design, results)} {effect}{doubt}: {pieces}; {because}; seeds alone differ by {_short(seeds)}."


def _to(design: Design, results: Results) -> str:
    if design.level == "best":
        return "Pruning to its best level"
    left = column(design.recipes(design.pruned), "sparsity").map(lambda sparsity: 100 * (1 - sparsity))
    return f"Pruning to {float(np.mean(left(results))):.3g} % of the weights"


def _part(values: Numbers) -> str:
    return f"{_short(float(values.mean()))} of it" if np.isfinite(values).all() else "an unknown part of it"


def _short(value: float) -> str:
    return number(float(f"{value:.2g}"))


def between_seeds(values: Numbers) -> float:
    """The mean distance between two replicates that differ by their seeds: [R] -> a number."""
    apart = np.abs(values[:, None] - values[None, :])
    return float(apart.sum() / (len(values) * (len(values) - 1)))


def figures(
    design: Design, claims: tuple[Claim, ...], other: Mapping[str, Quantity], unknown: tuple[str, ...]
) -> tuple[Figure, ...]:
    """All figures, the shares first."""
    outcome = design.outcomes[0]
    caption = (
        "What each factor changes: the mean over all orders in which the factors can be given one after the other. The "
        "shares add up to the change by pruning. The last row is the mean distance of two dense networks of other seeds. "
        + " ".join(f"{factor.name.capitalize()}: {factor.says}." for factor in design.factors)
    )
    unit = f"change of {outcome.label}, {outcome.unit}"
    drawn = Intervals("factor", "change", "low", "high", zero=True, x_label=unit)
    return (
        Figure(
            "shares",
            "What pruning changed, by cause",
            caption=caption,
            rows=[_shares(design)],
            plot=Listing(),
            claims=claims,
        ),
        Figure(
            "intervals",
            f"The shares in {outcome.label}",
            caption="Means and 95 % intervals over replicates.",
            rows=[_intervals("factor", _parts(design, outcome))],
            plot=drawn,
        ),
        Figure(
            "arms",
            "All networks of the experiment",
            caption="Test results of every cell, the mean over replicates with its 95 % interval. Dense: no factor.",
            rows=[_arms(design)],
            plot=Listing(),
        ),
        _curves(design),
        Figure(
            "controls",
            "Other ways",
            caption="Changes of test error against the dense network, with 95 % intervals. Early stopping takes the "
            "epoch that is best for the other replicates.",
            rows=[_intervals("control", other)],
            plot=Listing(),
        ),
        Figure(
            "unknown",
            "What cannot be told apart here",
            caption="A network that failed is gone around where there is another order of the factors.",
            rows=[_unknown(design, unknown)],
            plot=Listing(),
        ),
    )


def _shares(design: Design) -> Computed:
    parts = {outcome: _parts(design, outcome) for outcome in design.outcomes}
    dense = {outcome: design.value(DENSE, outcome) for outcome in design.outcomes}

    def rows(results: Results) -> list[Row]:
        found: list[Row] = []
        for outcome, quantities in parts.items():
            panel = {"panel": f"{outcome.label}, {outcome.unit}"}
            found += [{**panel, "factor": name, **_summary(part, results)} for name, part in quantities.items()]
            apart = with_gaps(dense[outcome].map(lambda values: [between_seeds(values)]), results)[0]
            found.append({**panel, "factor": SEEDS, "change": float(apart), "n": design.count})
        return found

    quantities = [part for group in parts.values() for part in group.values()]
    return Computed(nodes_of([*quantities, *dense.values()]), rows)


def _parts(design: Design, outcome: Outcome) -> dict[str, Quantity]:
    return {
        **{factor.name: design.share(factor.name, outcome) for factor in design.factors},
        WHOLE: design.effect(outcome),
    }


def _summary(quantity: Quantity, results: Results) -> dict[str, object]:
    """Mean and 95 % interval of a quantity, and its replicates; not known where a number is missing."""
    values = with_gaps(quantity, results)
    if not np.isfinite(values).all():
        return {"change": np.nan, "low": np.nan, "high": np.nan, "n": int(np.isfinite(values).sum())}
    found: Interval = t_interval(values)
    return {"change": found.estimate, "low": found.low, "high": found.high, "n": len(values)}


def _intervals(column_name: str, quantities: Mapping[str, Quantity]) -> Computed:
    return Computed(
        nodes_of(quantities.values()),
        lambda results: [{column_name: name, **_summary(part, results)} for name, part in quantities.items()],
    )


def _arms(design: Design) -> Computed:
    values = {
        cell: {f"{outcome.label}, {outcome.unit}": design.value(cell, outcome) for outcome in design.outcomes}
        for cell in design.cells
    }

    def rows(results: Results) -> list[Row]:
        found: list[Row] = []
        for cell, quantities in values.items():
            row: dict[str, object] = {"arm": design.name(cell)}
            for name, quantity in quantities.items():
                summary = _summary(quantity, results)
                row[name] = f"{number(summary['change'])} [{number(summary['low'])}, {number(summary['high'])}]"
            found.append(row)
        return found

    return Computed(nodes_of(part for group in values.values() for part in group.values()), rows)


def _curves(design: Design) -> Figure:
    outcome, epoch = design.outcomes[0], design.base.clock().epoch_steps
    rows = []
    for cell in design.cells:
        chains = design.chains(cell)
        for level in range(len(chains[0])):
            runs = [chain[level] for chain in chains]
            readings = [Reading(measure=outcome.measure, state=final(run)) for run in runs]
            error = each(lambda values: outcome.on(values, slice(None)), readings)
            steps = column(runs, "step").map(lambda step: step / epoch)
            rows.append(Rows({"arm": design.name(cell)}, {"epochs": steps, "error": error}))
    return Figure(
        "curves",
        "The arms as they train",
        caption="Error on the test examples at the end of every pass of the schedule. Arms without time have one pass.",
        rows=rows,
        plot=Lines(
            "epochs", "error", series="arm", x_label="epochs", y_label=f"{outcome.label}", references=("dense",)
        ),
    )


def _unknown(design: Design, notes: tuple[str, ...]) -> Computed:
    cells = {cell: design.value(cell, design.outcomes[0]) for cell in design.cells}

    def rows(results: Results) -> list[Row]:
        found: list[Row] = [
            {"what": f"{factor.name} without {' or '.join(sorted(factor.needs))}", "why": "there is no such network"}
            for factor in design.factors
            if factor.needs
        ]
        found += [{"what": "", "why": note} for note in notes]
        for cell, value in cells.items():
            try:
                value(results)
            except UsageError:
                raise
            except PrunescopeError as problem:
                found.append({"what": design.name(cell), "why": str(problem)})
        return found

    return Computed(nodes_of(cells.values()), rows)
