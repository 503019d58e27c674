"""What makes most of an audit doubtful, and is said at its head."""

import re

import numpy as np
import pytest
import torch
from audit_worlds import evidence, world
from small import data, net
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import prunescope as ps
from prunescope.audit.door import audit
from prunescope.audit.evidence import cautions, misordered
from prunescope.audit.study import Audit
from prunescope.base.errors import UsageError
from prunescope.measures.answers import Answers


def test_a_twin_that_was_pruned_is_refused_and_one_of_the_same_start_is_questioned(tmp_path):
    options = {"test": data(3), "store": tmp_path / "store"}
    with pytest.raises(
        UsageError, match=r"'a' has 3\d\.\d % fewer weights than the dense network has, so it is no twin"
    ):
        audit(net(0), net(1), twins={"a": baked(net(2))}, **options)
    later = net(0)
    later[0].weight.data += 0.1 * torch.randn(12, 6, generator=torch.Generator().manual_seed(0))
    report = audit(net(0), net(1), twins={"later": later, "other": net(2)}, **options)
    (doubt,) = [note for note in report.findings.doubts if "cosine" in note]
    assert doubt.startswith("later: its weights are close to the dense network's (cosine 0.9")


def test_examples_that_are_there_twice_are_said_at_the_head(tmp_path):
    (x, y), many = data(3), data(4, 24)
    five = x.repeat(5, 1), y.repeat(5)

    def said(test, train=None, **options):
        report = audit(net(0), baked(net(1)), test=test, train=train, store=tmp_path / "store", **options)
        return report.sentence

    head = said(five)
    assert head.startswith("Careful: 240 (80 %) of 300 test examples repeat an earlier one") and "2.24 times" in head
    head = said((x, y), many, shifted=five)
    assert "240 (80 %) of 300 shifted examples" in head and "training" not in head
    head = said((torch.cat([x, many[0]]), torch.cat([y, many[1]])), many)
    assert (
        head.startswith("Careful: 24 (28.6 %) of 84 test examples are also training examples") and "times" not in head
    )
    head = said((x, y), (many[0].repeat(2, 1), many[1].repeat(2)), split="train")
    assert "24 (50 %) of 48 training examples repeat" in head and "test examples" not in head


@pytest.mark.parametrize("share", [1, 0.25])
def test_only_examples_that_are_trained_on_count(tmp_path, share):
    (x, y), (other, label) = data(3), data(4, 24)
    train = other.repeat(2, 1), label.repeat(2)

    def task(test):
        whole = ps.Task.from_module(net(0), train=train, test=test)
        return whole.replace(data=whole.data.replace(share=share))

    trained = task((x, y)).load(ps.Seeds(), task((x, y)).data.source.load()).train.index % 24
    leak = [place for place in range(24) if place not in trained] or [0, 1]
    mixed = task((torch.cat([x, other[leak]]), torch.cat([y, label[leak]])))
    states = [ps.given(one, mixed) for one in (net(0), baked(net(1)))]
    said = {name: ps.audit(*states, split=name, store=tmp_path / "store").sentence for name in ("test", "train")}
    assert ("also training" in said["test"]) == (share == 1)
    twice = len(trained) - len(trained.unique())
    assert f"{twice} (" in said["train"] and f"of {len(trained)} training examples repeat" in said["train"]


def test_a_pruned_network_in_which_nothing_is_0_is_questioned(tmp_path):
    report = audit(net(0), {"other": net(1), "half": baked(net(2))}, test=data(3), store=tmp_path / "store")
    questioned = [note for note in report.findings.doubts if "another seed of the dense one is a twin" in note]
    assert [note.partition(";")[0] for note in questioned] == ["other: no weight is 0, and it is audited as pruned"]


def test_a_control_of_which_weights_are_0_is_questioned(tmp_path):
    controls = {"longer": net(2), "half": baked(net(3))}
    report = audit(net(0), baked(net(0)), controls=controls, test=data(3), store=tmp_path / "store")
    questioned = [note for note in report.findings.doubts if "given as a control" in note]
    assert [note.partition(" is 0")[0] for note in questioned] == [
        "half: 33.3 % of its weights are 0, and it is given as a control, which gets everything but pruning; if it was "
        "pruned, give it beside the pruned ones"
    ]


def test_a_network_with_more_weights_is_said_to_have_more(tmp_path):
    wide = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))
    said = str(audit(net(0), {"wide": wide}, test=data(3), store=tmp_path / "store"))
    assert "the dense network has 50.0 % fewer weights than wide" in said and "wide (100.0 % more weights) is" in said


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_one_function_in_other_parameters_has_a_tr_h_that_does_not_compare(norm, tmp_path):
    def build():
        made = net(0)
        norm(made[0])
        return made.eval()

    plain, wrapped = build(), nn.Sequential(net(0), nn.Identity())
    parametrize.remove_parametrizations(plain[0], "weight")
    options = {"test": data(3), "store": tmp_path / "store", "why": 20}
    questioned = [note for note in audit(build(), baked(plain), **options).findings.doubts if "compare" in note]
    assert len(questioned) == 1
    assert questioned[0].startswith("pruned has other parameters than the dense network (0.weight for 0.parametriz")
    assert not any("compare" in note for note in audit(net(0), baked(wrapped[0]), **options).findings.doubts)
    assert not any("compare" in note for note in audit(net(0), wrapped, **options).findings.doubts)


@pytest.mark.slow
def test_compiled_networks_are_given_alone_as_in_a_list(tmp_path):
    options = {"test": data(3), "store": tmp_path / "store"}
    report = audit(net(0), torch.compile(baked(net(0))), twins=torch.compile(net(1)), **options)
    assert report.table("flips") == audit(net(0), [baked(net(0))], twins=[net(1)], **options).table("flips")


def baked(module: nn.Module) -> nn.Module:
    module[0].weight.data[:6] = 0
    return module


def of_rates(rates, count, seed):
    """Answers of a network that says class j of examples of class i with probability rates[i, j]."""
    label = np.arange(count) % len(rates)
    outputs = rates.shape[1]
    drawn = [np.random.default_rng([seed, at]).choice(outputs, p=rates[label[at]]) for at in range(count)]
    return Answers(np.log(np.eye(outputs)[drawn] + 1e-6).astype(np.float32), label, "p")


@pytest.mark.parametrize("exchanged", [[1, 0, 2], [1, 2, 0]])
def test_another_order_of_the_classes_is_named(exchanged, tmp_path):
    x, _ = data(3, 600)
    dense, pruned = net(0), net(0)
    pruned[2] = nn.Linear(12, 3)
    with torch.no_grad():
        pruned[2].weight.copy_(dense[2].weight[exchanged])
        pruned[2].bias.copy_(dense[2].bias[exchanged])
        y = dense(x).argmax(1)
    report = audit(dense, pruned, test=(x, y), store=tmp_path / "store")
    (doubt,) = [doubt for doubt in report.findings.doubts if "are in another order" in doubt]
    assert re.match(r"pruned: .* are the label, and 100\.0% if it means 0 as [12], ", doubt)
    assert f"Careful: {doubt}." in repr(report) and f"Careful: {doubt}." in report.study.head(report.results, ())


@pytest.mark.parametrize(
    ("places", "says"), [([1, 2, 3], "0 as 1, 1 as 2, 2 as 3"), ([4, 0, 7], "0 as 4, 1 as 0, 2 as 7")]
)
def test_labels_that_count_other_classes_than_the_outputs_are_named(places, says):
    rates = np.full((3, 8), 0.02)
    rates[range(3), places] = 0.86
    (doubt,) = misordered([of_rates(rates, 200, 0)], [*map(str, range(8))])
    assert f"if it means {says}." in doubt
    damaged = 0.02 + 0.84 * np.eye(3, 8)
    damaged[2, [2, 7]] = 0.02, 0.86
    assert not list(misordered([of_rates(damaged, 200, 0)], [*map(str, range(8))])), "one class alone may be damage"


def test_exchanged_networks_and_a_twin_of_another_training_are_named_at_the_head(tmp_path):
    x, _ = data(3, 600)
    with torch.no_grad():
        y = net(0)(x).argmax(1)
    swapped = audit(baked(net(0)), net(0), twins=baked(net(1)), test=(x, y), store=tmp_path / "store")
    assert re.match(
        r"Careful: pruned: no weight is 0.* Careful: the dense network has 3\d\.\d % fewer", swapped.sentence
    )
    (doubt,) = audit(
        net(0), baked(net(0)), twins={"raw": net(1)}, test=(x, y), store=tmp_path / "store"
    ).findings.doubts
    assert re.match(r"raw is wrong on \d\d\.\d % of the examples and the dense network on 0\.0 %, further", doubt)


def test_seeds_of_one_training_are_not_said_to_be_of_another():
    worlds = [world(seed, 4, examples=500) for seed in range(100)]
    assert sum(len(list(cautions(evidence(log_p, label)))) for log_p, label, _ in worlds) <= 0.01 * 200


def test_bad_networks_are_not_said_to_have_another_order():
    for seed in range(100):
        draw = np.random.default_rng(seed)
        classes = int(draw.integers(2, 8))
        same = np.tile(draw.dirichlet(np.ones(classes) / 2), (classes, 1))  # whatever is shown, it answers alike
        confused = draw.dirichlet(np.ones(classes) / 2, classes)
        worse = 0.5 * np.eye(classes) + 0.5 * confused
        for rates in (same, worse):
            assert not list(misordered([of_rates(rates, 200, seed)], [*map(str, range(classes))]))


@pytest.mark.parametrize(("count", "among"), [(10_000, 0), (10_001, 5_000)])
def test_neighbours_of_many_examples_are_looked_for_among_some_and_that_is_said(count, among):
    task = ps.Task.from_module(lambda: net(0), train=data(0), test=data(1, count))
    plan = Audit(ps.given(net(0), task), {"pruned": ps.given(baked(net(0)), task)})
    assert [reading.measure.among for reading in plan.neighbours] == [among]
    captions = {figure.name: figure.caption for figure in plan.study().figures}
    assert "nearest of 5,000 examples of the other half, or of all where it has fewer" in captions["difficulty"]
    twinned = Audit(plan.dense, plan.pruned, twins={"twin": ps.given(net(1), task)})
    assert not twinned.neighbours
