"""Inputs that look right and mean something else."""

import itertools
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from small import data, net
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import prunescope as ps
from prunescope.audit.door import audit
from prunescope.base.errors import UsageError
from prunescope.tasks.data.tensors import tensors


@pytest.fixture(autouse=True)
def _data_of_its_own(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_DATA", str(tmp_path_factory.mktemp("data")))


def run(x_test, y_test):
    x, y = data(0)
    task = ps.Task.from_module(lambda: net(0), train=(x, y), test=(x_test, y_test))
    return ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=20, length="1it")


def test_other_inputs_with_equal_labels_are_refused(tmp_path):
    (x, y), (other, _) = data(0), data(9)
    one, two = run(x, y), run(other, y)
    ps.ensure(one, two, store=tmp_path, workers=1)
    with pytest.raises(UsageError, match="'pruned' comes with other test inputs than 'dense'"):
        audit(one, two, store=tmp_path)
    with pytest.raises(UsageError, match="has its own data, and test= gives others"):
        audit(one, net(1), test=(other, y), store=tmp_path)


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_a_copy_is_no_twin(noise, tmp_path):
    dense, pruned = net(0), net(1)
    copy = {name: leaf + noise * torch.randn_like(leaf) for name, leaf in dense.state_dict().items()}
    with pytest.raises(UsageError, match=r"the dense network itself|is the same network, not another seed"):
        audit(dense, pruned, twins=[copy], test=data(3), store=tmp_path)


@pytest.mark.parametrize("bound", ["1", "abc", True, None])
def test_a_bound_that_is_no_number_is_refused(bound, tmp_path):
    with pytest.raises(UsageError, match="is no number; give percentage points"):
        audit(net(0), net(1), gate={"max-loss": bound}, test=data(3), store=tmp_path)


@pytest.mark.parametrize("name", ["class", "all", "a × b"])
def test_groups_do_not_take_the_report_s_own_names(name, tmp_path):
    with pytest.raises(UsageError, match="groups cannot be called"):
        audit(net(0), net(1), groups={name: np.arange(60) % 2}, test=data(3), store=tmp_path)


@pytest.mark.parametrize(
    "column",
    [
        ["a", None] * 30,
        ["a", float("nan")] * 30,
        np.array(["a", np.nan] * 30, dtype=object),
        np.ma.masked_equal([0, 1] * 30, 1),
        ["a", " "] * 30,
    ],
)
def test_missing_groups_are_named(column, tmp_path):
    with pytest.raises(
        UsageError, match=r"groups\['site'\] has no text or whole number for 30 examples, the first at place 1"
    ):
        audit(net(0), net(1), groups={"site": column}, test=data(3), store=tmp_path)
    assert not list(tmp_path.rglob("manifest*"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"groups": np.arange(60) % 2}, "groups is a ndarray; give a dictionary of names"),
        ({"groups": {3: ["a", "b"] * 30}}, "groups cannot be called 3"),
        ({"groups": {"a": [[1], [1, 2]] * 30}}, "no text or whole number for 60 examples, the first at place 0"),
        ({"groups": {"a": [0, 1] * 29}}, r"has shape \(58,\) for 60 examples"),
        ({"gate": ["max-loss"]}, "gate is a list; give a dictionary of names"),
        ({"delta": float("nan")}, "delta=nan is no number of points"),
        ({"corruptions": 3}, "3 is no corruption"),
        ({"twins": {"t": "pruned"}}, "'t' is the pruned network 'pruned'; a twin is dense"),
        ({"pruned": {"": net(1)}}, "a network is called ''; give a text"),
        ({"pruned": {1: net(1)}}, "a network is called 1; give a text"),
        ({"delta": "1"}, "delta='1' is no number of points"),
        ({"why": -1}, "why=-1 is no number of examples"),
        ({"why": 2.5}, "why=2.5 is no number of examples"),
        ({"split": "all"}, "split='all' is none of train, validation, test"),
        ({"groups": {" ": [0, 1] * 30}}, "groups cannot be called ' '"),
        ({"test": (torch.randn(60, 5), data(3)[1])}, "dense: RuntimeError: "),
    ],
)
def test_what_means_nothing_is_said_before_anything_is_done(options, says, tmp_path):
    if options.get("twins") == {"t": "pruned"}:
        options = {"twins": {"t": net(1)}}
    with pytest.raises(UsageError, match=says):
        audit(net(0), **({"pruned": net(1), "test": data(3), "store": tmp_path} | options))
    assert not list(tmp_path.rglob("*.npz"))


def test_given_networks_are_asked_about_any_of_their_classes(tmp_path):
    x, y = data(3)
    for chosen in (y == 2, y != 1):
        report = audit(net(0), net(1), test=(x[chosen], y[chosen]), twins=net(2), store=tmp_path)
        assert {row["group"] for row in report.table("classes")} == {str(int(label)) for label in y[chosen].unique()}
        row = report.table("measures")[0]
        assert row["pruned"] == pytest.approx(100 * float((net(1)(x[chosen]).argmax(1) != y[chosen]).double().mean()))
    for count, more, says in ((20, 1, "20 outputs|labels up to 3"), (9, 0, "9 examples say nothing of a network")):
        with pytest.raises(UsageError, match=says):
            audit(net(0), net(1), test=(x[:count], y[:count] + more), store=tmp_path)


def test_one_example_is_too_few_whatever_the_networks_normalize_by(tmp_path):
    x, y = data(3)
    nets = [nn.Sequential(net(seed), nn.BatchNorm1d(3)) for seed in (0, 1)]
    with pytest.raises(UsageError, match=r"^1 examples say nothing of a network; give at least 10"):
        audit(*nets, test=(x[:1], y[:1]), store=tmp_path)


class Called(TensorDataset):
    classes = ("car", "van", "bus")


def test_labels_that_are_texts_do_not_say_which_output_is_theirs(tmp_path):
    (x, y), names = data(3), np.array(["cat", "dog", "fox"])
    options, some = {"store": tmp_path}, y > 0
    with pytest.raises(UsageError, match=r"have 3 outputs and the data 2 classes \(dog, fox\), so which is which"):
        audit(net(0), net(1), test=(x[some], names[y[some]]), **options)
    named = audit(net(0), net(1), test=(x[some], names[y[some]]), class_names=list(names), **options)
    numbered = audit(net(0), net(1), test=(x[some], y[some]), **options)
    assert named.table("measures") == numbered.table("measures")
    orders = [[note for note in report.plan.notes if note.startswith("Outputs 0")] for report in (named, numbered)]
    assert orders[0] == [] and "taken for cat, dog, fox: " in orders[1][0], "names of an earlier call are said"
    whole = audit(net(0), net(1), test=(x, names[y]), shifted=(x[some], names[y[some]]), **options)
    shifted = [{key: row[key] for key in row if key != "condition"} for row in whole.table("shifted")]
    assert shifted == numbered.table("measures")
    other = tensors(None, (x[some], names[y[some]]))
    with pytest.raises(UsageError, match="shifted examples are of the classes dog, fox, and the others of cat, dog"):
        audit(net(0), net(1), test=(x, names[y]), shifted=other, **options)
    strangers = Called(x, y)  # as torchvision says it
    with pytest.raises(UsageError, match="shifted examples are of the classes car, van, bus, and the others of cat"):
        audit(net(0), net(1), test=(x, names[y]), shifted=DataLoader(strangers, batch_size=8), **options)
    renamed = audit(net(0), net(1), test=strangers, shifted=strangers, class_names=list(names), **options)
    assert renamed.table("shifted")


def test_an_error_names_the_network_by_the_name_it_was_given(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(UsageError, match="Outputs of 'odd': the network's outputs are not finite"):
        audit(net(0), {"odd": Undefined(6, 3)}, test=data(3), store=tmp_path)


class Undefined(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return torch.where(x.sum(1, keepdim=True) < 2, y, torch.nan)


def test_outputs_that_are_no_numbers_are_refused(tmp_path):
    torch.manual_seed(0)
    with pytest.raises(UsageError, match="the network's outputs are not finite for"):
        audit(net(0), Undefined(6, 3), test=data(3), store=tmp_path)


class Wave(nn.Sequential):
    def __init__(self, wave=torch.sin):
        super().__init__(nn.Linear(6, 12), nn.Linear(12, 3))
        self.wave = wave

    def forward(self, x):
        return self[1](self.wave(self[0](x)))


def test_two_modules_of_one_class_that_compute_otherwise_are_two_networks(tmp_path):
    one, other = Wave(), Wave(torch.cos)
    other.load_state_dict(one.state_dict())
    report = audit(one, other, test=data(3), store=tmp_path)
    for found, module in ((report.findings.evidence.dense, one), (report.findings.evidence.pruned[0], other)):
        assert (found.prediction == module(data(3)[0]).argmax(1).numpy()).all()


class Rarely(nn.Linear):
    """Another function of one example only."""

    def forward(self, x):
        return torch.where(x[:, :1] == data(3)[0][41, 0], -super().forward(x), super().forward(x))


def test_a_module_that_computes_otherwise_for_one_example_is_another_network(tmp_path):
    one, other = nn.Linear(6, 3), Rarely(6, 3)
    other.load_state_dict(one.state_dict())
    (pruned,) = audit(one, other, test=data(3), store=tmp_path).findings.evidence.pruned
    assert (pruned.prediction == other(data(3)[0]).argmax(1).numpy()).all()


class Doubling(nn.Linear):
    def forward(self, x):
        return super().forward(x.mul_(2))


def test_a_module_that_changes_its_inputs_is_not_taken_for_one_that_does_not(tmp_path):
    one, other = nn.Linear(6, 3), Doubling(6, 3)
    other.load_state_dict(one.state_dict())
    with pytest.raises(UsageError, match="Doubling changes its inputs in place"):
        audit(one, other, test=data(3), store=tmp_path)


def test_names_and_origins_change_no_number(tmp_path):
    twins, pruned = [net(seed) for seed in (2, 3)], {f"p{seed}": net(seed) for seed in (5, 6)}
    options = {"test": data(3), "store": tmp_path, "groups": {"site": np.arange(60) % 4}}
    one = audit(net(0), pruned, twins={"one": twins[0], "two": twins[1]}, **options)
    renamed = dict(zip(("a", "b"), [thing.state_dict() for thing in reversed(pruned.values())], strict=True))
    two = audit(net(0), renamed, twins={"x": twins[1], "y": twins[0]}, network=lambda: net(0), **options)
    names = {"p5": "b", "p6": "a"}
    for table, (name, other) in itertools.product(("measures", "classes", "groups", "difficulty"), names.items()):
        first, second = (
            [list(row.values()) for row in report.table(table) if row["network"] == network]
            for report, network in ((one, name), (two, other))
        )
        for before, after in zip(first, second, strict=True):
            numbers = [[value for value in row if not isinstance(value, str)] for row in (before, after)]
            assert numbers[0] == pytest.approx(numbers[1], abs=1e-12)
    assert one.table("exemplars") == two.table("exemplars")


def test_lists_of_examples_that_are_no_pictures_say_what_they_are(tmp_path):
    report = audit(net(0), net(5), test=data(3), store=tmp_path)
    for table in ("lost", "won", "suspects"):
        for row in report.table(table):
            assert [float(number) for number in row["inputs"].split()] == pytest.approx(
                data(3)[0][row["index"]].tolist(), rel=1e-3
            )
    assert report.table("suspects")


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
        self.b.weight = self.a.weight
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        return self.out(self.b(self.a(x).relu()))


def test_two_names_of_one_tensor_with_two_values_are_refused(tmp_path):
    untied = Tied()
    untied.b.weight = nn.Parameter(untied.b.weight.detach() / 2)
    with pytest.raises(UsageError, match=r"different tensors for a\.weight and b\.weight, which are one tensor"):
        audit(Tied(), untied.state_dict(), network=Tied, test=data(3), store=tmp_path)


class Both(nn.Module):
    def __init__(self, whole):
        super().__init__()
        self.whole = whole

    def forward(self, a, b):
        return self.whole(torch.cat([a, b], 1))


def test_shifted_examples_have_the_same_columns_and_parts_in_the_same_order(tmp_path):
    x, y = data(3)
    table = pd.DataFrame(x.numpy()).add_prefix("c")
    with pytest.raises(UsageError, match=r"and shifted x have other columns, .* \(c0 and c5\); give shifted\[test"):
        audit(net(0), net(1), test=(table, y), shifted=(table[table.columns[::-1]], y), store=tmp_path)
    parts, others = ({"a": x[:, :1], "b": x[:, 1:]}, y), ({"b": x[:, 1:], "a": x[:, :1]}, y)
    for other in (others, (x, y)):
        with pytest.raises(UsageError, match=r"test examples are a: .* and shifted examples .*; they must be alike"):
            audit(Both(net(0)), Both(net(1)), test=parts, shifted=other, store=tmp_path)


def test_groups_whose_rows_are_in_another_order_than_the_examples_are_refused(tmp_path):
    x, y = data(3)
    test, sites = (pd.DataFrame(x), y), pd.Series([0, 1] * 30)
    assert audit(net(0), net(1), test=test, groups={"site": sites}, store=tmp_path).table("groups")
    with pytest.raises(UsageError, match=r"the rows of groups\['site'\] have another order than those of the examples"):
        audit(net(0), net(1), test=test, groups={"site": sites[::-1]}, store=tmp_path)


def test_answers_are_those_of_the_logits_however_close_they_are(tmp_path):
    x, y = data(3)
    dense, pruned = net(0), net(1)
    wrong = [100 * float((one(x).argmax(1) != y).float().mean()) for one in (dense, pruned)]
    for one in (dense, pruned):
        one[2].weight.data *= 2.0**-30
        one[2].bias.data *= 2.0**-30
    error = audit(dense, pruned, test=(x, y), store=tmp_path).table("measures")[0]
    assert [error["dense"], error["pruned"]] == pytest.approx(wrong)


def test_a_checkpoint_in_memory_is_read_as_in_a_file_and_not_as_several_networks(tmp_path):
    options, (tensors_, other) = (
        {"test": data(3), "network": net(0), "store": tmp_path},
        (net(1).state_dict() for _ in "ab"),
    )
    saved = {"model": tensors_, "optimizer": torch.optim.SGD(net(0).parameters()).state_dict()}
    assert list(audit(net(0), saved, **options).plan.pruned) == ["pruned"]
    with pytest.raises(UsageError, match=r"pruned holds several state dicts \(model, ema\)"):
        audit(net(0), {"model": tensors_, "ema": other}, **options)
    assert list(audit(net(0), {"raw": tensors_, "ema": other}, **options).plan.pruned) == ["raw", "ema"]


def test_a_gate_is_xml_whatever_groups_are_called_and_names_can_be_printed(tmp_path):
    options = {"test": data(3), "store": tmp_path, "gate": {"max-group-loss": 1}, "groups": {"g": ["a\x0b", "<"] * 30}}
    audit(net(0), net(1), **options).write(tmp_path / "report")
    assert len(ElementTree.parse(tmp_path / "report" / "gate.xml").findall("testcase")) == 2
    with pytest.raises(UsageError, match=r"a network is called 'p\\x01'; give a text that is not empty and can be pr"):
        audit(net(0), {"p\x01": net(1)}, **options)
