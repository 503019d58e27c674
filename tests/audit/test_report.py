"""Two stored digit networks to a page: every number computed again by numpy and scipy from the exported file."""

import itertools
import json
import math
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

import prunescope as ps
from prunescope.audit.door import audit
from prunescope.audit.evidence import answers
from prunescope.base.errors import UsageError
from prunescope.runs.execution.status import Display

SITE = np.array(["north", "south", "east", "west"])[np.arange(500) % 4]
SEX = np.arange(500) // 7 % 2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def runs(store):
    """Three dense networks of different seeds, and the first one pruned to 49, 83 and 97 %."""
    net = ps.network("prunescope.tasks.nets:LeNet", inputs=64, hidden=(24, 12))
    task = ps.Task(network=net, data=ps.Data(source=ps.digits()))
    base = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=64, length="6ep")
    dense = ps.replicates(base, 3)
    chain = ps.imp(dense[0], levels=9, prune=ps.Prune(amount=ps.Remaining(fraction=0.35)))
    ps.ensure(dense, chain, store=store, workers=1)
    return [ps.final(run) for run in dense], [ps.final(chain[level]) for level in (2, 4, 9)]


@pytest.fixture(scope="module")
def report(runs, store):
    dense, pruned = runs
    gate = {"max-loss": 30.0, "max-class-loss": 2.0, "max-disagreement": 1.0}
    series = dict(zip(("p50", "p80", "p97"), pruned, strict=True))
    groups = {"site": SITE, "sex": SEX}
    return audit(dense[0], series, twins=dense[1:], groups=groups, gate=gate, store=store, why=100)


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report.write(folder, command="prunescope audit ...")
    return folder


@pytest.fixture(scope="module")
def exported(folder):
    """The file of single examples, as anybody reads it."""
    return {
        name: np.array(values) for name, values in pq.read_table(folder / "tables/examples.parquet").to_pydict().items()
    }


def wrong(exported, name):
    return exported[f"prediction {name}"] != exported["label"]


def rows(report, table, **where):
    return [row for row in report.table(table) if all(row[key] == value for key, value in where.items())]


@pytest.mark.parametrize("name", ["p50", "p80", "p97"])
def test_what_happened(report, exported, name):
    table = {row["measure"].split(",")[0]: row for row in rows(report, "measures", network=name)}
    twins = ("twin-1", "twin-2")
    for measure, part, scale in (("negative log likelihood", "loss", 1), ("Brier score", "brier", 1)):
        before, after = exported[f"{part} dense"], exported[f"{part} {name}"]
        row, change = table[measure], after - before
        half = stats.norm.ppf(0.975) * change.std() / math.sqrt(500)
        assert (row["dense"], row["pruned"]) == (pytest.approx(before.mean()), pytest.approx(after.mean()))
        assert row["change"] == pytest.approx(change.mean())
        assert (row["low"], row["high"]) == (pytest.approx(change.mean() - half), pytest.approx(change.mean() + half))
        beside = [scale * (exported[f"{part} {twin}"] - before).mean() for twin in twins]
        assert (row["twins low"], row["twins high"]) == (pytest.approx(min(beside)), pytest.approx(max(beside)))
    before, after = wrong(exported, "dense"), wrong(exported, name)
    row, change = table["error"], after * 1.0 - before
    padded = np.append(change, [1.0, -1.0])
    half = 100 * stats.norm.ppf(0.975) * padded.std() / math.sqrt(502)
    assert (row["dense"], row["pruned"]) == (pytest.approx(100 * before.mean()), pytest.approx(100 * after.mean()))
    assert (row["low"], row["high"]) == tuple(pytest.approx(100 * change.mean() + s * half) for s in (-1, 1))


def calibration(confidence, right):
    edges = [round(k * 500 / 15) for k in range(16)]
    parts = [np.argsort(confidence, kind="stable")[a:b] for a, b in itertools.pairwise(edges)]
    gaps = [
        (confidence[p].mean() - right[p].mean()) ** 2 - right[p].mean() * (1 - right[p].mean()) / (len(p) - 1)
        for p in parts
    ]
    return 100 * math.sqrt(max(0, sum(len(p) * g for p, g in zip(parts, gaps, strict=True)) / 500))


@pytest.mark.parametrize("name", ["p50", "p97", "twin-2"])
def test_flips_and_calibration(report, exported, name):
    (row,) = rows(report, "flips", network=name)
    before, after = wrong(exported, "dense"), wrong(exported, name)
    lost, won = int((after & ~before).sum()), int((before & ~after).sum())
    assert (row["lost"], row["won"]) == (lost, won)
    assert row["McNemar p"] == pytest.approx(stats.binomtest(lost, lost + won).pvalue)
    assert row["same answer, %"] == pytest.approx(
        100 * (exported["prediction dense"] == exported[f"prediction {name}"]).mean()
    )
    assert row["KL(dense || network), nats"] == pytest.approx(exported[f"divergence {name}"].mean())
    for column, who in (("dense", "dense"), ("pruned", name)):
        if name in ("p50", "p97"):
            (line,) = rows(report, "measures", network=name, measure="calibration error, %")
            expected = calibration(exported[f"confidence {who}"], ~wrong(exported, who))
            assert line[column] == pytest.approx(expected, abs=1e-6)


def test_to_whom_class_by_class_and_group_by_group(report, exported):
    everywhere = [*report.table("classes"), *report.table("groups")]
    assert {row["family"] for row in everywhere} == {"class", "site", "sex", "site × sex"}
    for row in everywhere:
        columns = {"class": exported["label"].astype(str), "site": SITE, "sex": SEX.astype(str)}
        member = np.ones(500, bool)
        for family, name in zip(row["family"].split(" × "), row["group"].split(" × "), strict=True):
            member &= columns[family] == name
        before, after = wrong(exported, "dense")[member], wrong(exported, row["network"])[member]
        assert row["examples"] == member.sum()
        assert row["change"] == pytest.approx(100 * (after.mean() - before.mean()))
        assert (row["lost"], row["won"]) == ((after & ~before).sum(), (before & ~after).sum())
        dense = np.mean([wrong(exported, name)[member].mean() for name in ("dense", "twin-1", "twin-2")])
        assert row["excess over seeds"] == pytest.approx(100 * (after.mean() - dense))
        padded = np.append(after * 1.0 - before, [1.0, -1.0])
        assert -100 <= row["low"] <= row["change"] <= row["high"] <= 100
        if row["high"] == 100:
            continue
        q = (row["high"] - row["change"]) / (100 * padded.std() / math.sqrt(len(padded)))
        single, bonferroni = stats.norm.ppf(1 - 0.05 / 3 / 2), stats.norm.ppf(1 - 0.05 / 3 / 2 / 24)
        assert single <= q <= bonferroni * 1.04  # one q for all 24 groups, between one test and Bonferroni's
    for name in ("p50", "p80", "p97"):
        changes = [row["change"] for row in rows(report, "classes", network=name)]
        assert changes == sorted(changes, reverse=True)


def test_exemplars_between_single_networks_are_their_disagreements(report, exported):
    dense = [exported[f"prediction {name}"] for name in ("dense", "twin-1", "twin-2")]
    for row, name in zip(report.table("exemplars"), ("p50", "p80", "p97"), strict=True):
        against = [100 * (exported[f"prediction {name}"] != one).mean() for one in dense]
        chance = [100 * (dense[a] != dense[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
        assert min(against) <= row["exemplars, %"] <= max(against)
        assert row["by chance, %"] == pytest.approx(np.mean(chance), abs=1.0)
        assert row["false discovery rate"] == pytest.approx(min(1, row["by chance, %"] / row["exemplars, %"]))


def test_the_file_of_examples_marks_exemplars_by_the_majority_of_dense_networks(exported):
    votes = np.stack([exported[f"prediction {name}"] for name in ("dense", "twin-1", "twin-2")])
    majority = stats.mode(votes, axis=0).mode
    for column, name in (("exemplar 57.8 %", "p50"), ("exemplar 98.0 %", "p97")):
        assert (exported[column] == (exported[f"prediction {name}"] != majority)).all()


def test_lists_hold_the_right_examples_most_confident_first(report, exported):
    for table, before, after in (("lost", False, True), ("won", True, False)):
        for name in ("p80", "p97"):
            listed = rows(report, table, network=name)
            expected = np.flatnonzero((wrong(exported, "dense") == before) & (wrong(exported, name) == after))
            assert len(listed) == min(24, len(expected))
            assert {row["index"] for row in listed} <= set(expected.tolist())
            confidences = [row["confidence"] for row in listed]
            assert confidences == sorted(confidences, reverse=True)
            assert (
                confidences[:1] == [pytest.approx(exported[f"confidence {name}"][expected].max())][: len(confidences)]
            )


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
    assert int(suite.get("skipped")) == answers.count("cannot tell") == len(suite.findall(".//skipped"))
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
    assert report._repr_html_().startswith("<iframe")


def test_the_same_audit_gives_the_same_bytes(report, folder, tmp_path):
    report.write(tmp_path, command="prunescope audit ...")
    for name in ("index.html", "summary.json", "gate.xml", "data/examples.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_weights_of_all_networks_beside_each_other(report):
    table = {row["network"]: row for row in report.table("weights")}
    assert set(table) == {"dense", "p50", "p80", "p97", "twin-1", "twin-2"}
    assert table["p97"]["removed"] > table["p50"]["removed"] > 0 == table["twin-1"]["removed"]
    assert table["twin-1"]["error barrier, points"] > table["p50"]["error barrier, points"]
    assert {row["layer"] for row in report.table("layers")} == {"fc1.weight", "fc2.weight", "fc.weight"}


def test_without_twins_the_page_says_so(runs, store, tmp_path):
    dense, pruned = runs
    alone = audit(dense[0], pruned[1], store=store)
    assert "No twin is given" in alone.sentence
    alone.write(tmp_path)
    assert "No twin is given" in (tmp_path / "README.md").read_text()
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
    by_id = audit(recipe.id[:10], pruned[0], twins=2, store=store, display=again)
    assert {name: state.id for name, state in by_id.plan.twins.items()} == {
        name: state.id for name, state in report.plan.twins.items()
    }
    assert not any("trained first" in note for note in again.notes)
    assert by_id.table("classes") == report.table("classes")


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


BAD = {
    "twins that nobody trains": ({"twins": 2, "dense": "module"}, "twins=2 are trained by a recipe: give recipe="),
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
