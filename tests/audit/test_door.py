"""`ps.audit`, from things that people have to a report."""

import json

import pytest
import torch
from files import Net, Sized, baked, dense, examples, pruned
from safetensors.torch import save_file
from torch.utils.data import DataLoader, TensorDataset

import prunescope as ps
from prunescope import measures
from prunescope.audit.door import _judges
from prunescope.base.errors import StoreError, UsageError
from prunescope.base.reference import StateRef
from prunescope.tasks.data.tensors import tensors

TRAIN, TEST = examples(60, 1), examples(40, 2)
TABLES = ("measures", "classes", "difficulty", "examples")


def plain(report):
    """Everything that a report says of an only pruned network, without the names of files."""
    return {name: report.table(name) for name in TABLES}


def test_the_same_pair_by_modules_dicts_and_files_is_the_same_report(here, store):
    options = {"test": TEST, "train": TRAIN, "store": store, "twins": {"twin": "twin.pt"}}
    ways = [
        ps.audit(dense(), pruned(dense()), network=Net, **options),
        ps.audit("dense.pt", {"pruned": "same.pt"}, network="files:Net", **options),
        ps.audit(dense().state_dict(), pruned(dense()).state_dict(), network=Net(), **options),
        ps.audit(dense(), baked(dense()), **options),
    ]
    first = plain(ways[0])
    assert all(json.dumps(plain(way), default=str) == json.dumps(first, default=str) for way in ways[1:])
    with torch.no_grad():
        wrong = (baked(dense()).eval()(TEST[0]).argmax(1) != TEST[1]).double().mean()
    row = next(row for row in first["measures"] if "error" in json.dumps(row))
    assert any(value == pytest.approx(100 * float(wrong)) for value in row.values() if isinstance(value, float))


def test_a_run_its_module_its_file_and_its_folder_are_the_same_report(store, tmp_path):
    """Of one pair: the id, the recipe and the state of a run, its module, its tensors, files, a folder of OpenLTH."""
    net = ps.network("prunescope.tasks.nets:LeNet", inputs=64, hidden=(12, 8))
    source = tensors(TRAIN, TEST)
    base = ps.Recipe(
        task=ps.Task(network=net, data=ps.Data(source=source)),
        optimizer=ps.SGD(),
        schedule=ps.Constant(lr=0.05),
        batch=20,
        length="2ep",
    )
    runs = [base, ps.imp(base, levels=1, prune=ps.Prune(amount=ps.Remaining(fraction=0.4)))[1]]
    ps.ensure(runs, store=store, workers=1)
    modules = [ps.load_module(run, store=store) for run in runs]
    folders = []
    for name, module in zip(("before", "after"), modules, strict=True):
        state = module.state_dict()
        torch.save(state, f"{name}.pt")
        save_file(state, f"{name}.safetensors")
        (tmp_path / name).mkdir()
        theirs = {key.replace("fc1", "fc_layers.0").replace("fc2", "fc_layers.1"): leaf for key, leaf in state.items()}
        torch.save(theirs, tmp_path / name / "model_ep2_it0.pth")
        folders.append(str(tmp_path / name))
    ways = [
        ([run.id for run in runs], {}),
        (runs, {}),
        ([ps.final(run) for run in runs], {}),
        (modules, {"test": source}),
        ([module.state_dict() for module in modules], {"test": source, "network": net}),
        (["before.pt", "after.pt"], {"test": source, "network": net}),
        (["before.safetensors", "after.safetensors"], {"test": source, "network": net}),
        (folders, {"test": source}),
    ]
    said = []
    for (one, other), options in ways:
        report = ps.audit(one, {"pruned": other}, store=store, why=10, **options)
        said.append({name: report.table(name) for name in (*TABLES, "weights", "layers")} | {"head": report.sentence})
    first = json.dumps(said[0], default=str)
    assert "pruned" in first and [json.dumps(one, default=str) == first for one in said] == [True] * len(ways)


def test_names_are_those_of_files_or_of_the_caller(here, store):
    several = ps.audit(dense(), ["half.pt", "bad.pt"], test=TEST, store=store)
    assert list(several.plan.pruned) == ["half", "bad"]
    numbered = ps.audit(dense(), [pruned(dense()), dense(seed=2)], test=TEST, store=store, twins=dense(seed=3))
    assert several.plan.neighbours and not numbered.plan.neighbours  # twins say which examples are difficult
    assert (list(numbered.plan.pruned), list(numbered.plan.twins)) == (["pruned-1", "pruned-2"], ["twin-1"])
    with pytest.raises(UsageError, match="two networks are called 'half'; rename a file, or give dictionaries"):
        ps.audit(dense(), "half.pt", twins="half.pt", test=TEST, store=store)


def test_a_loader_is_read_in_order_and_a_missing_training_set_is_said(here, store):
    loader = DataLoader(TensorDataset(*TEST), batch_size=7, shuffle=True)
    report = ps.audit(dense(), pruned(dense()), test=loader, store=store)
    for net, said in ((dense(), True), (torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)), False)):
        looked_at = ps.audit(net, baked(net), test=TEST, store=store, why=8)
        assert any("No training examples were given" in note for note in looked_at.study.notes) is said
    assert plain(report) == plain(ps.audit(dense(), pruned(dense()), test=TEST, store=store))
    with pytest.raises(UsageError, match=r"split='train' needs training examples; give train=\(x, y\)"):
        ps.audit(dense(), pruned(dense()), test=TEST, split="train", store=store)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("regression", "target='regression' is no target; give ps.Classes()"),
        (ps.Regression, "target=Regression (a class) is no target; give ps.Classes()"),
        (ps.Regression(), "an audit counts answers, of which there are none for the target Regression()"),
    ],
)
def test_a_target_that_an_audit_does_not_have_is_refused_with_the_fix(store, target, says):
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    net = torch.nn.Linear(3, 1)
    with pytest.raises(ps.UsageError) as raised:
        ps.audit(net, baked(net), test=(x, y), target=target, store=store)
    assert says in str(raised.value)


def test_a_report_in_the_place_of_a_file_is_refused(here, store):
    report = ps.audit(dense(), pruned(dense()), test=TEST, store=store)
    for place in ("dense.pt", "dense.pt/report"):
        with pytest.raises(UsageError, match=r"dense.pt is a file, and a report is a folder"):
            report.write(place)


def test_networks_of_two_architectures_are_compared(here, store):
    report = ps.audit(dense(), {"wide": dense(cls=Sized, width=9)}, test=TEST, train=TRAIN, store=store, why=20)
    assert len(report.table("examples")) == len(TEST[1])


def test_the_module_of_that_name_is_the_function(store):
    import prunescope.audit

    assert callable(prunescope.audit) and prunescope.audit.AuditReport
    with pytest.raises(UsageError, match="comes without examples"):
        ps.audit(dense(), dense(seed=1), store=store)


def test_a_twin_that_is_the_dense_network_and_a_pruned_one_that_is_are_said(here, store):
    with pytest.raises(UsageError, match="'twin' is the dense network itself"):
        ps.audit(dense(), pruned(dense()), twins={"twin": "dense.pt"}, test=TEST, store=store)
    report = ps.audit(dense(), dense(), test=TEST, store=store)
    assert "pruned is the very same state as dense" in report.study.notes


def test_a_dense_network_that_knows_nothing_of_the_examples_is_said(store):
    y = torch.arange(100) % 10
    x = torch.nn.functional.one_hot(y, 10).float()
    knows = torch.nn.Linear(10, 10)
    with torch.no_grad():
        knows.weight.copy_(torch.eye(10) * 3 + 0.01)
    strange = "The dense network is hardly better than naming the most frequent class always"
    assert strange not in str(ps.audit(knows, baked(knows), test=(x, y), store=store))
    assert strange in str(ps.audit(knows, baked(knows), test=(x, y.roll(1)), store=store))


def test_tables_under_corruptions_and_on_other_data_are_those_of_such_examples(store):
    from prunescope.measures.robustness import Blur
    from prunescope.tasks.data.source import InMemory
    from prunescope.tasks.task import Split

    other = examples(30, 5)
    nets = {"twins": {"t": dense(seed=1)}, "controls": {"c": dense(seed=2)}}
    report = ps.audit(dense(), pruned(dense()), test=TEST, corruptions=["blur"], shifted=other, store=store, **nets)
    corrupted = Blur(severity=3).apply(Split(InMemory(TEST[0]), torch.arange(40), TEST[1], TEST[1])).inputs
    sets = {"": TEST, "blur 3": (corrupted.take(torch.arange(40)), TEST[1]), "shifted": other}
    for name, (x, y) in sets.items():
        found = report.findings.under[name] if name else report.findings
        for answers, net in ((found.evidence.dense, dense()), (found.evidence.pruned[0], pruned(dense()))):
            with torch.no_grad():
                assert (answers.prediction == net.eval()(x).argmax(1).numpy()).all()
            assert (answers.label == y.numpy()).all()
    flips = {(row["condition"], row["network"]): row for row in report.table("under-flips")}
    assert set(flips) == {(name, net) for name in report.plan.conditions for net in ("pruned", "c", "t")}
    again = ps.audit(dense(), {"pruned": pruned(dense())}, test=other, store=store, **nets)
    assert report.table("shifted-classes") == again.table("classes") and report.table("shifted") == again.table(
        "measures"
    )
    curve = report.table("robustness")
    assert {(row["severity"], row["series"]) for row in curve} == {
        (k, series) for k in range(6) for series in ("dense", "pruned", "c", "another seed")
    }
    assert report.table("measures") == ps.audit(dense(), pruned(dense()), test=TEST, store=store, **nets).table(
        "measures"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"corruptions": ["fog"]},
            "'fog' is no corruption; there are gaussian-noise, blur",
        ),
        ({"corruptions": True, "test": (TEST[0].flatten(1), TEST[1])}, "are of pictures [1 or 3, H, W]"),
        ({"corruptions": "all", "test": (TEST[0].flatten(1), TEST[1])}, "have shape [64]; leave corruptions out"),
        ({"shifted": (torch.randn(30, 1, 9, 9), TEST[1][:30])}, "the shifted examples are [1, 9, 9]"),
        ({"shifted": (TEST[0], TEST[1] + 5)}, "label"),
    ],
)
def test_conditions_that_cannot_be_are_refused(store, options, says):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    with pytest.raises(UsageError) as raised:
        ps.audit(net, baked(net), **({"test": TEST} | options), store=store)
    assert says in str(raised.value)


def test_a_message_calls_networks_by_name_and_a_place_by_its_path(here, store):
    (store.root / "runs").write_text("a file in the place of a folder")
    with pytest.raises(StoreError, match=r"cannot write \S+/runs/(..)/\1[0-9a-f]{30}/"):
        ps.audit(dense(), pruned(dense()), test=TEST, store=store)


def test_short_networks_share_no_seed_and_no_start_with_the_network_whose_recipe_they_have():
    network = ps.network("prunescope.tasks.nets:LeNet", hidden=(4,), inputs=16, classes=4)
    task = ps.Task(network=network, data=ps.Data(source=ps.synthetic()))
    recipe = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=32, length="5ep")
    for seeds in (ps.Seeds(), ps.Seeds(init=1001, order=1002, data=3, labels=1001)):
        short = [run.seeds for run in _judges(recipe.replace(seeds=seeds)).values()]
        assert all(one.init != seeds.init and one.order != seeds.order for one in short)
        assert {(one.data, one.labels) for one in short} == {(seeds.data, seeds.labels)}
    assert [run.seeds.init for run in _judges(recipe).values()] == [1000, 1001, 1002]
    with pytest.raises(UsageError, match="goes on from a state"):
        _judges(recipe.replace(start=StateRef(run=recipe)))
    labels = ps.Reading(measure=measures.Examples(split="train"), state=ps.final(recipe))
    half = ps.Subset(source=labels, rule="prunescope.studies.subsets:without_fold", args={"name": "label", "fold": 0})
    with pytest.raises(UsageError, match="while a recipe's examples are a Subset; give a task of those"):
        _judges(recipe.replace(examples=half))
