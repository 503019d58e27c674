"""Networks whose layers are narrower than their class makes them: understood by their shapes, or refused."""

import copy

import pytest
import torch
from files import Net, baked, dense, examples, parametrized
from torch import nn

from prunescope.base.errors import UsageError
from prunescope.runs.given.states import states


def narrower(net):
    """What is left of a network when half of its filters are removed, with the layers changed in place."""
    narrow = copy.deepcopy(net)
    first, second = slice(0, 3), slice(0, 8)
    cuts = {"conv1": (first, slice(None)), "bn1": (first,), "conv2": (second, first), "bn2": (second,)}
    for name, cut in cuts.items():
        layer = getattr(narrow, name)
        layer.weight = nn.Parameter(layer.weight[cut].detach().clone())
        for key in ("bias", "running_mean", "running_var"):
            if getattr(layer, key, None) is not None:
                part = getattr(layer, key)[cut[0]].detach().clone()
                setattr(layer, key, nn.Parameter(part) if key == "bias" else part)
    narrow.fc.weight = nn.Parameter(narrow.fc.weight[:, : 8 * 4].detach().clone())
    narrow.conv1.out_channels = narrow.bn1.num_features = narrow.conv2.in_channels = 3
    narrow.conv2.out_channels = narrow.bn2.num_features = 8
    narrow.fc.in_features = 32
    return narrow


@pytest.mark.parametrize("module_first", [True, False])
def test_narrower_layers_are_understood_with_or_without_the_module(data, store, module_first):
    net = narrower(dense())
    torch.save(net.state_dict(), "narrow.pt")
    things = {"module": net, "file": "narrow.pt"}
    order = ("module", "file") if module_first else ("file", "module")
    found = states({"dense": dense(), **{name: things[name] for name in order}}, data, store)
    assert found.states["module"].id == found.states["file"].id
    problem = found.states["file"].run.task.load(found.states["file"].run.seeds, data.data.source.load())
    weights_ = found.states["file"].run.weights
    x = examples(40, 2)[0]
    outputs = problem.model.apply(weights_.params, weights_.buffers, x, train=False)[0]
    assert torch.allclose(outputs, net.eval()(x), atol=1e-5)


class Heads(nn.Module):
    """Two layers with numbers of its own between them: how the pruned network has them no state dict says."""

    def __init__(self, hidden: int = 12, **numbers) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, hidden), nn.Linear(hidden, 10)
        self.numbers, self.note = list(numbers), "text"
        vars(self).update(numbers)

    def forward(self, x):
        x = self.first(x.flatten(1))
        x = x * self.scale if "scale" in self.numbers else x
        return self.last(x.view(len(x), self.heads, -1).softmax(1).flatten(1) if "heads" in self.numbers else x)


@pytest.mark.parametrize(
    ("numbers", "read"), [({"scale": 0.25}, "scale"), ({"heads": 2}, "heads"), ({"unread": 3}, "")]
)
def test_a_narrower_state_dict_is_refused_where_the_forward_pass_computes_with_numbers(data, store, numbers, read):
    torch.manual_seed(0)
    net, narrow = Heads(**numbers), Heads(hidden=6, **numbers)
    things = {"dense": net, "narrow": narrow.state_dict()}
    if not read:
        assert states(things, data, store, network=lambda: Heads(**numbers)).states["narrow"].run.weights
        return
    with pytest.raises(UsageError, match=rf"computes with {read}; .* give the narrower module itself"):
        states(things, data, store, network=lambda: Heads(**numbers))
    assert states(things | {"narrow": narrow}, data, store).states["narrow"]


def test_a_state_dict_of_parametrizations_needs_a_network_that_has_them(data, store):
    def build():
        return parametrized(dense())

    saved = parametrized(dense(1)).state_dict()
    with pytest.raises(UsageError, match=r"parametrizations of conv1, conv2, fc, and only their code says"):
        states({"dense": saved}, data, store, network="files:Net")
    found = states(
        {"dense": saved, "module": parametrized(dense(1)), "baked": baked(dense(1))}, data, store, network=build
    )
    assert len({state.id for state in found.states.values()}) == 1


def test_a_dense_network_of_another_width_than_named_is_refused(data, store):
    with pytest.raises(UsageError, match=r"conv1\.weight is \[6, 1, 3, 3\], the network has \[9, 1, 3, 3\]"):
        states({"dense": dense().state_dict()}, data, store, network=lambda: Net(9))


def test_torch_prunings_network_is_understood(data, store):
    tp = pytest.importorskip("torch_pruning")
    net = dense()
    pruner = tp.pruner.MagnitudePruner(
        net,
        examples(2, 0)[0],
        importance=tp.importance.MagnitudeImportance(p=2),
        pruning_ratio=0.5,
        ignored_layers=[net.fc],
    )
    pruner.step()
    found = states({"dense": dense(), "dict": net.state_dict(), "module": net}, data, store)
    assert found.states["dict"].id == found.states["module"].id
    assert found.states["dict"].run.task.network.id != found.states["dense"].run.task.network.id
