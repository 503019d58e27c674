"""Appendix E: the authors' sum of eigenvalues beside the exact trace, and adaptive sharpness beside both."""

import numpy as np
import pytest

from prunescope.papers.bartoldson import figures, v2020_app_e, v2020_fig6
from prunescope.papers.bartoldson.flatness import SHARPNESS, TRACE_H
from prunescope.papers.bartoldson.quantities import STABILITIES, label
from prunescope.papers.bartoldson.v2020_app_e import POWER, POWER_SHARE, SHARE, TOP, share
from prunescope.runs.graph.nodes import Reading


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(figures, "RESAMPLES", 10)


@pytest.fixture
def half(made_up):
    """The top eigenvalues are half of the trace, by the power method a quarter."""

    class Half(made_up["class"]):
        def _reading(self, node):
            found = super()._reading(node)
            if "eigenvalues" not in found:
                return found
            part = 0.25 if node.measure.method == "power" else 0.5
            return {**found, "sum": np.asarray(part * found["sum"])}

    return Half(made_up["published"].truth)


@pytest.mark.parametrize("power", [True, False])
def test_the_trace_stands_beside_the_sum_with_the_share_that_the_sum_is(power, half):
    study = v2020_app_e.build(v2020_app_e.SCALES["smoke"].replace(power=power), "smoke")
    tables = {figure.name: figure.table(half) for figure in study.figures}
    values = {
        measure: {row["run"]: row["value"] for row in tables["appe-numbers"] if row["panel"] == measure}
        for measure in (TRACE_H, TOP, SHARE, *((POWER, POWER_SHARE) if power else ()))
    }
    assert len(values[TRACE_H]) == 12 and all(
        found.keys() == values[TRACE_H].keys() for found in values.values()
    )
    for run, trace in values[TRACE_H].items():
        assert values[TOP][run] == pytest.approx(trace / 2) and values[SHARE][run] == pytest.approx(0.5)
        if power:
            assert values[POWER][run] == pytest.approx(trace / 4)
            assert values[POWER_SHARE][run] == pytest.approx(0.25)
    means = {row["panel"].removeprefix("VGG11: ") for row in tables["appe-means"]}
    assert means == values.keys() | {SHARPNESS, *map(label, STABILITIES)}
    assert {(row[TRACE_H], row[TOP]) for row in tables["appe-trace-top"]} == set(
        zip(values[TRACE_H].values(), values[TOP].values(), strict=True)
    )
    assert any(SHARPNESS in row["panel"] for row in tables["appe-correlations"])


def test_a_trace_that_is_not_positive_has_no_share():
    spectrum = {"sum": np.asarray(3.0)}
    assert share(spectrum, {"trace": np.asarray(4.0)}) == 0.75
    assert np.isnan(share(spectrum, {"trace": np.asarray(0.0)}))


@pytest.mark.parametrize("scale", ["smoke", "paper"])
def test_the_readings_of_figure_6_are_taken_once_for_both(scale):
    tiny = {"data": "blobs", "blobs": 20, "replicates": 1}
    six, more = (
        module.build(module.SCALES[scale].replace(**tiny), scale) for module in (v2020_fig6, v2020_app_e)
    )
    both = [{node.id for node in study.nodes if isinstance(node, Reading)} for study in (six, more)]
    assert both[0] < both[1]
