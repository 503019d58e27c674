"""Stored digit networks to a page, a gate and files; and what cannot be audited."""

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

import prunescope as ps
from prunescope.audit.door import audit
from prunescope.audit.evidence import answers
from prunescope.base.errors import UsageError
from prunescope.runs.execution.status import Display


@pytest.fixture
def store(kept):
    return kept


def rows(report, table, **where):
    return [row for row in report.table(table) if all(row[key] == value for key, value in where.items())]


@pytest.mark.parametrize(("gate", "code"), [({}, 0), ({"max-loss": 30.0}, 0), ({"max-class-loss": 2.0}, 3)])
def test_only_what_is_kept_passes(gate, code, runs, store):
    dense, pruned = runs
    assert audit(dense[0], {"p50": pruned[0]}, twins=dense[1:], gate=gate, store=store).exit_code == code


def test_the_gate_has_three_answers_and_only_a_broken_bound_is_a_failure(report, folder):
    said = {verdict.claim.name: verdict.said for verdict in report.verdicts if verdict.claim.name.startswith("gate-")}
    assert said["gate-max-loss-0"] == "kept"
    assert said["gate-max-class-loss-0"] == "cannot tell"
    assert said["gate-max-class-loss-2"] == said["gate-max-disagreement-2"] == "broken"
    assert report.exit_code == 1
    answers = [row["answer"] for row in report.gate]
    assert answers == sorted(answers, key=["broken", "cannot tell", "kept"].index) and len(set(answers)) == 3
    suite = ElementTree.parse(folder / "gate.xml").getroot()
    assert int(suite.get("failures")) == answers.count("broken") == len(suite.findall(".//failure"))
    assert int(suite.get("errors")) == answers.count("cannot tell") == len(suite.findall(".//error"))
    (case,) = [
        case
        for case in suite
        if (case.get("classname"), case.get("name")) == ("prunescope.audit.p50", "max-class-loss=2, class 3")
    ]
    (row,) = [
        row
        for row in report.table("gate")
        if (row["network"], row["bound"], row["group"]) == ("p50", "max-class-loss=2", "class 3")
    ]
    (shown,) = (row for row in rows(report, "classes", network="p50") if row["title"] == "class 3")
    assert [row[end] for end in ("change", "low", "high")] == [shown[end] for end in ("change", "low", "high")]
    assert f"{shown['change']:.2f} [" in (case[0].get("message") or case[0].text) and "percentage points" in str(report)
    kept = {
        name: [row["answer"] for row in report.gate if row["network"] == name and "class" in row["bound"]]
        for name in ("p50", "p97")
    }
    assert len(kept["p50"]) == 10 and "broken" in kept["p97"] and "broken" not in kept["p50"]


def test_as_many_examples_as_are_said_to_do_decide():
    from prunescope.studies.paired import examples_needed, simultaneous

    change, everything = np.array([1.0] * 20 + [0.0] * 480), np.ones((500, 1), bool)
    family = simultaneous(change, everything, None)
    assert family.high[0] > 0.05
    enough = examples_needed(family, 0.05, 500)
    for copies, decided in ((0.8, False), (1.2, True)):
        n = int(copies * enough)
        more = simultaneous(np.repeat(change, n // 500 + 1)[:: n // 500 + 1], everything, None)
        half = (more.high[0] - more.estimate[0]) * math.sqrt(500 / n)
        assert (family.estimate[0] + half <= 0.05) == decided


def test_the_safe_sparsity_is_the_last_before_the_first_that_is_not_shown_to_be_safe(runs, store):
    dense, pruned = runs
    wide = audit(dense[0], pruned, delta=40.0, store=store)
    best, why = wide.findings.safe
    sparsities = [one.sparsity for one in wide.findings.evidence.pruned]
    assert best in sparsities and (best == max(sparsities)) == (why == "")
    assert audit(dense[0], pruned, delta=0.1, store=store).findings.safe[0] is None


def test_the_page_stands_alone_and_says_what_happened_at_its_head(report, folder):
    page = (folder / "index.html").read_text()
    assert report.sentence.split(":")[0] in page and "http" not in page.replace("http://www.w3.org", "")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["sentence"] == report.sentence and "p97 (98.0 %" in summary["sentence"]
    claim = next(claim for claim in summary["claims"] if claim["name"] == "beyond-seeds-overall-2")
    assert (claim["said"], claim["over"], claim["n"]) == ("shown", "examples, 3 dense networks", 500)
    assert "no such rule" not in page and "Paper’s rule" not in page
    assert 'class="verdict reproduced unwelcome">shown' in page and 'class="verdict contradicted">broken' in page


def test_the_same_audit_gives_the_same_bytes(runs, store, tmp_path):
    dense, pruned = runs
    options = {"twins": dense[1:], "groups": {"half": np.arange(500) % 2}, "gate": {"max-loss": 30.0}, "store": store}
    for name in ("one", "other"):
        audit(dense[0], pruned[1], **options).write(tmp_path / name, command="prunescope audit ...")
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert {"index.html", "summary.json", "gate.xml", "data/examples.csv"} <= set(map(str, files))
    assert [
        name for name in files if (tmp_path / "one" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()
    ] == []
    audit(dense[0], pruned[1], store=store).write(tmp_path / "one")
    left = {str(path.relative_to(tmp_path / "one")) for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert "data/examples.csv" in left  # and nothing of the gate, the groups and the twins, which this audit has not
    assert left.isdisjoint(
        {"gate.xml", "data/gate.csv", "tables/gate.parquet", "tables/groups.parquet", "data/groups.csv"}
    )


def test_weights_of_all_networks_beside_each_other(report):
    table = {row["network"]: row for row in report.table("weights")}
    assert set(table) == {"dense", "p50", "p80", "p97", "twin-1", "twin-2"}
    assert table["p97"]["removed"] > table["p50"]["removed"] > 0 == table["twin-1"]["removed"]
    assert table["twin-1"]["error barrier, points"] > table["p50"]["error barrier, points"]
    assert {row["layer"] for row in report.table("layers")} == {"fc1.weight", "fc2.weight", "fc.weight"}


def test_without_twins_the_page_says_so(runs, store):
    dense, pruned = runs
    alone = audit(dense[0], pruned[1], store=store)
    assert "No twin is given" in alone.sentence
    page = alone._repr_html_()
    assert page.startswith("<iframe") and "No twin is given" in page
    judged = {row["judged by"] for row in alone.table("difficulty")}
    assert judged == {"mean loss of both networks on the nearest examples of the other half"}


class Told(Display):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.mark.slow
def test_twins_are_trained_by_the_recipe_of_the_dense_network_and_their_price_is_said(runs, store):
    dense, pruned = runs
    told = Told()
    report = audit(dense[0], pruned[0], twins=2, store=store, display=told)
    assert any("2 runs are trained first, in about" in note for note in told.notes)
    recipe = dense[0].run
    seeds = [state.run.seeds for state in report.plan.twins.values()]
    assert [(other.init, other.order, other.labels) for other in seeds] == [(1, 1, 0), (2, 2, 0)]
    assert all(state.run.replace(seeds=recipe.seeds) == recipe for state in report.plan.twins.values())
    again = Told()
    by_id = audit(recipe.id[:10], pruned[0], twins=np.int64(2), store=store, display=again)
    assert {name: state.id for name, state in by_id.plan.twins.items()} == {
        name: state.id for name, state in report.plan.twins.items()
    }
    assert not any("trained first" in note for note in again.notes)
    assert by_id.table("classes") == report.table("classes")


def test_a_recipe_without_twins_trains_who_judges_difficulty_and_changes_nothing_else(runs, store):
    dense, pruned = runs
    alone = audit(dense[0], pruned[1], store=store, why=20)
    judged = audit(dense[0], pruned[1], recipe=dense[0].run, store=store, why=20)
    short = [f"short training {k}" for k in (1, 2, 3)]
    runs_of = [judged.plan.judges[name].run for name in short]
    whole = dense[0].run.clock().total
    assert all(run.clock().total == whole // 10 for run in runs_of) and len({run.seeds.init for run in runs_of}) == 3
    assert {row["judged by"] for row in judged.table("difficulty")} == {f"mean loss of {', '.join(short)}"}
    for table in ("measures", "classes", "flips", "weights", "suspects"):
        assert judged.table(table) == alone.table(table)
    assert {f"loss {name}" for name in short} <= judged.findings.evidence.columns().keys()
    assert "No twin is given" in judged.sentence
    with pytest.raises(UsageError, match="leave one of the two out"):
        audit(dense[0], pruned[1], recipe=dense[0].run, twins=[dense[1]], store=store)


def test_controls_stand_beside_the_pruned_networks_and_are_judged_by_nobody(runs, store):
    dense, pruned = runs
    options = {"twins": dense[2:], "gate": {"max-class-loss": 2.0}, "store": store}
    alone = audit(dense[0], {"p80": pruned[1]}, **options)
    beside = audit(dense[0], {"p80": pruned[1]}, controls={"longer": dense[1]}, **options)
    for table in ("measures", "classes", "difficulty", "exemplars", "flips"):
        column = "networks" if table == "exemplars" else "network"
        assert [row for row in beside.table(table) if row[column] != "longer"] == list(alone.table(table))
        assert any(row[column] == "longer" for row in beside.table(table))
    assert [v.said for v in beside.verdicts] == [v.said for v in alone.verdicts] and beside.gate == alone.gate
    errors = {name: 100 * one.wrong.mean() for name, one in zip("a", beside.findings.evidence.controls, strict=True)}
    assert f"Without pruning, longer on {errors['a']:.1f} % are wrong." in beside.sentence
    two = {"longer of 1": dense[1], "longer of 2": pruned[0]}
    together = audit(dense[0], {"p80": pruned[1]}, controls=two, twins=dense[2:], store=store)
    assert [row["networks"] for row in together.table("exemplars")][1:] == ["longer"]
    ends = sorted(100 * one.wrong.mean() for one in together.findings.evidence.controls)
    assert f"Without pruning, longer on {ends[0]:.1f} to {ends[1]:.1f} % are wrong." in together.sentence


BAD = {
    "twins that nobody trains": ({"twins": 2, "dense": "module"}, "twins=2 are trained by a recipe: give recipe="),
    "twins without a file of a recipe": ({"twins": 2, "dense": "module"}, "recipe = ps.Recipe(task=task, optimizer="),
    "no twins": ({"twins": 0}, "twins=0 are none"),
    "a control and a pruned network of one name": (
        {"controls": {"pruned": "pruned"}},
        "two networks are called 'pruned'",
    ),
    "a twin that is the dense network": ({"twins": "dense"}, "the dense network itself"),
    "no pruned network": ({"pruned": []}, "no pruned network"),
    "a column that is too short": ({"groups": {"site": [1, 2, 3]}}, "for 500 examples; give one an example"),
    "one group only": ({"groups": {"site": ["a"] * 500}}, "the group 'a' only"),
    "groups of one example": ({"groups": {"id": range(500)}}, "500 groups of one example ('0', '1', '10', ...)"),
    "groups of floating numbers": ({"groups": {"age": np.arange(500) / 7}}, "give a text or a whole number"),
    "an unknown bound": ({"gate": {"max-los": 1}}, "'max-los' is no bound; there are max-loss"),
    "a bound that is none": ({"gate": {"max-loss": -1}}, "outside 0 to 100"),
    "a bound of groups that are not there": ({"gate": {"max-group-loss": 1}}, "give groups, too"),
    "two networks of one name": ({"pruned": "named dense"}, "two networks are called 'dense'"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_audited_is_refused_with_one_message(runs, store, changes, message):
    dense, pruned = runs
    options = {"pruned": pruned[0], "twins": dense[1:], **changes}
    if options["twins"] == "dense":
        options["twins"] = [dense[0]]
    if options["pruned"] == "named dense":
        options["pruned"] = {"dense": pruned[0]}
    if "controls" in options:
        options["controls"] = {"pruned": pruned[1]}
    before = options.pop("dense", dense[0])
    if before == "module":
        before = ps.load_module(dense[0].run, store=store)
    with pytest.raises(UsageError) as raised:
        audit(before, options.pop("pruned"), store=store, **options)
    assert message in str(raised.value)


def outputs(**changes):
    given = {"label": np.arange(6) % 3, "index": np.arange(6), "log_probability": np.zeros((6, 3), np.float32)}
    return given | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": np.array([0, 1, 2, 1, 0, 2])}, "they differ in label, first at place 3"),
        ({"index": np.arange(5), "label": np.arange(5)}, "held against 5 examples and the dense network against 6"),
        ({"log_probability": np.zeros((6, 4), np.float32)}, "has 4 outputs and the dense network 3"),
    ],
)
def test_networks_of_other_examples_order_or_classes_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        answers("other", outputs(**changes), 0.5, outputs())
