"""The complete files that the pages on stability and flatness show are run as a reader would run them."""

import json
import re
import runpy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import prunescope as ps
from prunescope.base.errors import UsageError
from prunescope.base.streams import Seeds
from prunescope.cli import app
from prunescope.measures import HessianTrace, Sample
from prunescope.runs.machine.loader import fresh_weights
from prunescope.tasks.data.synthetic import synthetic

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"```python\n(.*?)```", flags=re.S)


def executed(page: str, mark: str):
    """The names that the one block of a page with `mark` in it defines."""
    (block,) = (text for text in BLOCK.findall((DOCS / page).read_text()) if mark in text)
    names = {"__name__": "docs"}
    exec(block, names)
    return names


def tiny(path: str, **args):
    """A task and its problem, and weights before training."""
    source = synthetic(classes=3, shape=(3, 32, 32), train=16, test=16, separation=2.0)
    net = ps.network(f"prunescope.tasks.nets:{path}", classes=3, **args)
    problem = ps.Task(network=net, data=ps.Data(source=source)).load(Seeds(), source.load())
    return problem, fresh_weights(problem.model, 0)


def test_the_measure_is_half_the_trace_of_the_hessian():
    measure = executed("flatness.md", "class NoiseRise")["NoiseRise"]
    problem, weights = tiny("LeNet", hidden=(4,), inputs=3072)
    sample = Sample(examples=16, precision="float64")
    found = measure(sample=sample, std=0.02, draws=300).measure(problem, weights)
    half = 0.5 * 0.02**2 * float(HessianTrace(sample=sample).measure(problem, weights)["trace"])
    error = float(found["error"])
    assert abs(float(found["rise"]) - half) < 4 * error + 0.1 * half and 0 < error < half / 3


def test_the_score_is_gamma_and_needs_one():
    score = executed("stability.md", "class Gamma")["Gamma"]()
    problem, weights = tiny("VGG", depth=11, scale=0.0625)
    units = problem.model.structure.at("conv1")
    gamma = torch.randn(units.count)
    weights = weights.replace(params=weights.params | {units.affine[0]: gamma})
    score.check(units)
    assert torch.equal(score.scores(weights, units, {}), gamma.double().abs())
    bare, _ = tiny("LeNet", hidden=(4,), inputs=3072)
    with pytest.raises(UsageError, match="has no gamma"):
        score.check(bare.model.structure.at("fc1"))


def test_dense_sparse_dense(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    accuracy = executed("stability.md", "ps.Release")["accuracy"]
    rows = zip(accuracy["epoch"], accuracy["phase"], accuracy["sparsity"], strict=True)
    assert [(epoch, str(phase), round(float(sparsity), 2)) for epoch, phase, sparsity in rows] == [
        (1.0, "step", 0.0),
        (1.0, "after", 0.5),
        (2.0, "step", 0.5),
        (2.0, "after", 0.0),
        (3.0, "step", 0.0),
    ]
    before, after = accuracy["error"][np.flatnonzero(accuracy["epoch"] == 2.0)]
    assert before == after  # what returns, returns at zero


def test_a_measure_a_score_and_an_intervention_of_ones_own(tmp_path, monkeypatch):
    page = "\n".join(BLOCK.findall((DOCS / "adding.md").read_text()))
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(4,), inputs=64)
    task = ps.Task(network=net, data=ps.Data(source=ps.digits()))
    run = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=256, length="1ep")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ps, "ensure", partial(ps.ensure, workers=1))  # classes of an executed page have no module
    names = {"__name__": "docs", "base": run}
    exec(page, names)
    usual = [ps.Reading(measure=names["WeightNorm"](), state=ps.final(one)) for one in (*ps.imp(run, levels=2), run)]
    found = ps.ensure(usual, store="my-store")
    norms, known = names["norms"], [float(found[node]["norm"]) for node in usual]
    mine = [float(names["results"][node]["norm"]) for node in norms]
    assert mine[:3] == known[:3], "w^2 orders weights as |w| does"
    assert mine[3] < known[3]
    study, known = (build(names["SCALES"]["smoke"], "smoke") for build in (names["build"], names["quickstart"].build))
    assert [claim.name for claim in study.figures[0].claims] == ["less-loss"]
    assert set(study.nodes) == set(known.nodes)


def test_the_first_study_runs_as_it_stands(tmp_path, monkeypatch):
    (text,) = (text for text in BLOCK.findall((DOCS / "first-study.md").read_text()) if "def build" in text)
    assert len(text.splitlines()) <= 50, "the page promises a study that is read in one look"
    (tmp_path / "my_study.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as `python -m` does
    done = CliRunner().invoke(app, ["run", "my_study.py", "--scale", "smoke", "--workers", "1"])
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "prunescope-reports/my-study/summary.json").read_text())
    (claim,) = summary["claims"]
    assert claim["unit"] == "% test error, smallest removed minus random removed" and claim["n"] == 2
    table = (tmp_path / "prunescope-reports/my-study/data/error.csv").read_text()
    assert len(table.splitlines()) == 1 + 3 * 3 * 2


def test_the_atlas_holds_the_verdicts_of_the_stored_results():
    """`python tools/atlas.py` writes it anew."""
    names = runpy.run_path(str(DOCS.parent / "tools" / "atlas.py"))
    assert (DOCS / "atlas.md").read_text() == names["page"]()


def test_every_link_leads_to_a_file_and_from_the_log_and_the_changes_to_a_page_of_the_site():
    """The site shows the log and the changes as pages in docs/, where only links to docs/ lead on."""
    root, link = DOCS.parent, re.compile(r"\]\(([^)#\s]+)[^)]*\)")
    apart = [root / "LOG.md", root / "CHANGELOG.md"]
    for page in (
        root / "README.md",
        root / "CONTRIBUTING.md",
        *apart,
        *DOCS.glob("*.md"),
        *DOCS.glob("results/**/*.md"),
    ):
        targets = [target for target in link.findall(page.read_text()) if "://" not in target]
        lost = [target for target in targets if not target.startswith("data:") and not (page.parent / target).exists()]
        assert not lost, (page, lost)
        assert page not in apart or all(target.startswith("docs/") for target in targets), page
