"""Networks that compute differently have different ids; the same network has the same id again."""

import functools
import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from prunescope.base.errors import CodeChanged, UsageError
from prunescope.tasks import nets
from prunescope.tasks.model import Model, network, network_of
from prunescope.tasks.task import Task


def with_seed(*between, **more):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(8, 6), *between, nn.Linear(6, 3))
    for name, value in more.items():
        setattr(module, name, value)
    return module


def tied():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    module[2].weight = module[0].weight
    return module


def untied():
    module = tied()
    module[2].weight = nn.Parameter(module[0].weight.detach().clone())
    return module


def partly_frozen():
    module = with_seed()
    module[0].weight.requires_grad_(False)
    return module


def hooked(factor):
    module = with_seed()
    module.register_forward_hook(lambda part, args, out: factor * out)
    return module


INSTANCES = {
    "plain": lambda: with_seed(),
    "relu": lambda: with_seed(nn.ReLU()),
    "tanh": lambda: with_seed(nn.Tanh()),
    "no dropout": lambda: with_seed(nn.Dropout(0.0)),
    "much dropout": lambda: with_seed(nn.Dropout(0.9)),
    "slope": lambda: with_seed(nn.LeakyReLU(0.3)),
    "attribute": lambda: with_seed(temperature=2.0),
    "other attribute": lambda: with_seed(temperature=3.0),
    "frozen": partly_frozen,
    "hook": lambda: hooked(1.0),
    "other hook": lambda: hooked(2.0),
    "batch norm": lambda: with_seed(nn.BatchNorm1d(6)),
    "other epsilon": lambda: with_seed(nn.BatchNorm1d(6, eps=0.1)),
}


def test_instances_are_told_apart_by_all_that_they_compute_with():
    ids = {name: network_of(make()).id for name, make in INSTANCES.items()}
    assert len(set(ids.values())) == len(INSTANCES)
    assert {name: network_of(make()).id for name, make in INSTANCES.items()} == ids


def test_shared_weights_are_not_equal_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        one = tied()
        torch.manual_seed(0)
        other = untied()
    assert torch.equal(one[2].weight, other[2].weight)
    assert network_of(one).id != network_of(other).id


CELL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 6), nn.Linear(6, 3)
    def forward(self, x):
        return self.b({act}(self.a(x)))
"""


def cell(act, **names):
    namespace = {"__name__": "__main__", "nn": nn, "torch": torch, "F": F, **names}
    exec(CELL.format(act=act), namespace)
    return namespace["Net"]


def test_a_cell_that_was_edited_is_another_network_and_one_that_was_run_again_is_not():
    relu, again, tanh = (network_of(cell(act)) for act in ("torch.relu", "torch.relu", "torch.tanh"))
    assert relu.path == tanh.path == "__main__:Net"
    assert relu.id == again.id != tanh.id
    assert network_of(cell("G", G=torch.relu)).id != network_of(cell("G", G=torch.tanh)).id


def local(rate):
    class Local(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(8, 3)

        def forward(self, x):
            return F.dropout(self.a(x), rate, self.training)

    return Local


def test_closures_and_lambdas_of_one_line_count():
    assert network_of(local(0.0)).id != network_of(local(0.9)).id
    one, other = (lambda: nn.Linear(8, 3)), (lambda: nn.Sequential(nn.Linear(8, 3)))
    assert network_of(one).id != network_of(other).id
    rates = [network_of(lambda rate=rate: nn.Sequential(nn.Linear(8, 3), nn.Dropout(rate))).id for rate in (0.1, 0.2)]
    assert len(set(rates)) == 2


def test_installed_code_and_the_packages_own_have_no_digest_in_their_ids():
    assert network_of(functools.partial(nn.Linear, 8, 3)).code is None
    lenet = network("prunescope.tasks.nets:LeNet")
    assert lenet.code is None and not {"code", "prunable", "output"} & set(lenet.canonical.split('"'))


def test_code_that_was_edited_since_is_noticed(monkeypatch):
    class Net(nn.Linear):
        def __init__(self):
            super().__init__(8, 3)

        def forward(self, x):
            return super().forward(x)

    named = network_of(Net)
    named.check_code()
    monkeypatch.setattr(Net, "forward", lambda self, x: 2 * F.linear(x, self.weight))
    with pytest.raises(CodeChanged, match=r"make the task again.*revision \(now 1\)"):
        named.check_code()
    assert network_of(Net).id != named.id and named.replace(revision=2).code == network_of(Net).code


def halved(logits, y):
    return F.cross_entropy(logits, y, reduction="none") / 2


def test_the_code_of_a_loss_is_a_part_of_the_tasks_id(monkeypatch):
    data = {
        "train": (torch.randn(6, 8), torch.arange(6) % 3),
        "test": (torch.randn(6, 8), torch.arange(6) % 3),
    }
    path = f"{__name__}:halved"
    task = Task.from_module(with_seed(), loss=path, **data)
    assert Task.from_module(with_seed(), loss=path, **data).id == task.id and task.code
    monkeypatch.setitem(globals(), "halved", lambda logits, y: F.cross_entropy(logits, y, reduction="none") / 3)
    assert Task.from_module(with_seed(), loss=path, **data).id != task.id
    with pytest.raises(CodeChanged, match="halved changed since the Task that names it was made"):
        task.check_code()
    assert Task.from_module(with_seed(), **data).code is None
    assert Task.from_module(with_seed(), revision=2, **data).id != Task.from_module(with_seed(), **data).id


# -- what is prunable


def test_names_patterns_and_predicates_say_what_is_prunable():
    ids = set()
    for prunable, names in (
        ("0.*", {"0.weight"}),
        (["0.weight", "1.weight"], {"0.weight", "1.weight"}),
        (lambda name, leaf: leaf.numel() == 18, {"1.weight"}),
    ):
        named = network_of(with_seed(), prunable=prunable)
        assert Model(named).maskable == names
        ids.add(named.id)
    assert len(ids | {network_of(with_seed()).id}) == 4
    with pytest.raises(UsageError, match="fits no parameter"):
        Model(network_of(with_seed(), prunable="head.*"))
    with pytest.raises(UsageError, match="names no tensor"):
        network_of(with_seed(), prunable=lambda name, leaf: False)


def test_every_network_of_this_package_has_the_prunable_tensors_of_before():
    for name, factory in vars(nets).items():
        if inspect.isclass(factory) and issubclass(factory, nn.Module) and factory is not nets.Gate:
            args = {"inputs": 9, "width": 4} if factory is nets.TwoLayer else {}
            model = Model(network(f"prunescope.tasks.nets:{name}", **args))
            assert model.maskable == model.linear_and_convolutions, name


def test_what_is_installed_and_no_network_is_never_called(tmp_path):
    trap = tmp_path / "trap"
    net = network("pathlib:Path.touch", self=str(trap)).replace(args={"self": str(trap)})
    with pytest.raises(UsageError, match=r"pathlib:Path\.touch is no network, and is not called to find out"):
        net.build()
    assert not trap.exists()
