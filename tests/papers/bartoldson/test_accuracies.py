"""Best accuracy, selected on the test set as in the papers, and final accuracy, not selected: both are shown."""

import numpy as np
import pytest

from prunescope.papers.bartoldson import v2019_fig_a3, v2020_app_c
from prunescope.papers.bartoldson.quantities import label


@pytest.fixture
def later(made_up):
    """The last epoch loses as many points as the drop of an event has: best and final go different ways."""

    class Later(made_up["class"]):
        def _trace(self, node):
            rows = super()._trace(node)
            if rows and node.probe.split == "test":
                last = rows["local"] == rows["local"].max()
                rows["error"] = rows["error"] + last * self.truth(node.run).drop / 100
            return rows

    return Later(made_up["published"].truth)


def figures(module, results, **changes):
    study = module.build(module.SCALES["smoke"].replace(**changes), "smoke")
    return {figure.name: figure.table(results) for figure in study.figures}


def test_the_data_size_study_shows_both(later):
    table = figures(v2019_fig_a3, later, compress=1.0)["figa3-means"]
    shown = {row["panel"].split(": ")[1] for row in table}
    assert shown >= {label("best"), label("final"), label("test"), label("end_gap")}
    rows = {(row["panel"].split(": ")[1], row["arm"]): row["mean"] for row in table}
    assert rows[label("best"), "Prune_L"] - rows[label("final"), "Prune_L"] == pytest.approx(4.0, abs=0.05)
    assert rows[label("best"), "no pruning"] == pytest.approx(rows[label("final"), "no pruning"])


def test_correlations_and_points_by_rate_show_both(later):
    tables = figures(v2020_app_c, later, replicates=4, compress=5.0)
    signs = {
        accuracy: [row["estimate"] for row in tables["figc2"] if row["panel"] == label(accuracy)]
        for accuracy in ("best", "final")
    }
    assert len(signs["best"]) == len(signs["final"]) == 2
    assert max(signs["best"]) < 0 < min(signs["final"])
    assert {row["arm"] for row in tables["figc1"]} == {row["arm"] for row in tables["figc1-final"]}
    best = np.array([row["best"] for row in tables["figc1"]])
    final = np.array([row["final"] for row in tables["figc1-final"]])
    assert (best > final).all()
