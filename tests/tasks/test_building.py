"""Modules as users have them: pruned, lazy, with weights that hooks compute, with several outputs."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, weight_norm

from prunescope.base.errors import UsageError, UserCodeError
from prunescope.base.tree import equal
from prunescope.tasks.building import Output, frozen_parts
from prunescope.tasks.model import Model, network_of


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def mlp():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def pruned():
    module = mlp()
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    return module


X = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))


# -- weights that are computed


@pytest.mark.parametrize("used", [False, True])
def test_an_instance_pruned_by_torch_keeps_its_masks_even_after_a_pass(used):
    given = seeded(pruned)
    if used:
        given(X)  # its weight is then no leaf, and cannot be copied
    named = network_of(given)
    weights = Model(named).fresh(0)
    assert torch.equal(weights.masks["0.weight"], given[0].weight_mask != 0)
    assert int(weights.masks["0.weight"].sum()) == 64 and bool(weights.masks["2.weight"].all())
    outputs, _ = Model(named).apply(weights.params, weights.buffers, X, train=False)
    assert torch.equal(outputs, given(X))
    assert named.id == network_of(given).id and hasattr(given[0], "weight_orig")


def test_a_factory_may_prune_by_itself_under_every_seed():
    model = Model(network_of(pruned))
    one, other = model.fresh(0), model.fresh(1)
    assert one.sparsity == other.sparsity == pytest.approx(64 / 176)
    assert not torch.equal(one.masks["0.weight"], other.masks["0.weight"])
    assert all(equal({"w": one.params[n] * one.masks[n]}, {"w": one.params[n]}) for n in one.masks)


def test_what_is_pruned_and_not_prunable_is_refused():
    module = mlp()
    prune.random_unstructured(module[0], "bias", amount=0.5)
    with pytest.raises(UsageError, match=r"0\.bias.*prune\.remove\(\)"):
        Model(network_of(module)).fresh(0)


def test_zeros_of_an_instance_are_masks_unless_the_whole_matrix_is_zero():
    module = seeded(mlp)
    with torch.no_grad():
        module[0].weight[:, 2] = 0
        module[2].weight.zero_()
    masks = Model(network_of(module)).fresh(0).masks
    assert torch.equal(masks["0.weight"], module[0].weight != 0) and bool(masks["2.weight"].all())

    zeroed = Model(network_of(lambda: nn.Sequential(nn.Linear(8, 3).requires_grad_(), nn.Linear(3, 3))))
    assert bool(zeroed.fresh(0).masks["0.weight"].all())


@pytest.mark.parametrize("factory", [True, False])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weight_norm_of_old_is_refused_and_the_new_one_is_pruned_where_it_is_stored(factory):
    def old():
        return nn.Sequential(weight_norm(nn.Linear(8, 3)))

    with pytest.raises(UsageError, match=r"layer '0' has.*parametrizations\.weight_norm instead"):
        Model(network_of(old if factory else old()))
    new = Model(network_of(lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 3)))))
    assert new.maskable == {"0.parametrizations.weight.original1"}


def doubled(x: torch.Tensor) -> torch.Tensor:
    return x * 2


@pytest.mark.parametrize("held", [lambda layer: layer.weight.norm(), lambda layer: torch.jit.script(doubled)])
@pytest.mark.filterwarnings("ignore:.*jit.script")
def test_an_instance_that_holds_what_cannot_be_copied_is_refused_with_the_fix(held):
    module = mlp()
    module.held = held(module[0])
    with pytest.raises(UsageError, match=r"cannot be copied .*give a class or a function"):
        network_of(module)


class Itself(nn.Dropout):
    def __deepcopy__(self, memo):
        return self


def test_a_layer_whose_copy_is_itself_is_refused_as_it_has_one_mode():
    with pytest.raises(UsageError, match=r"__deepcopy__ of Itself returns a layer that is there already.*leave"):
        Model(network_of(lambda: nn.Sequential(nn.Linear(8, 3), Itself())))


class WeightNormedLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrent = parametrizations.weight_norm(nn.LSTM(8, 4, batch_first=True), "weight_hh_l0")
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.recurrent(x)[0])


@pytest.mark.parametrize("make", [lambda: WeightNormedLSTM, WeightNormedLSTM], ids=["class", "instance"])
def test_a_recurrent_layer_with_weight_norm_computes_with_the_weights_it_is_given(make):
    model, x = Model(network_of(make())), torch.ones(2, 8)
    params, buffers = model.init(1)
    params = {name: leaf + 0.3 for name, leaf in params.items()}
    plain = WeightNormedLSTM()
    plain.load_state_dict(params)
    for train in (False, True):
        torch.testing.assert_close(model.apply(params, buffers, x, train=train)[0], plain(x))


# -- lazy layers and modes


def lazy():
    return nn.Sequential(nn.LazyLinear(16), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3))


def test_lazy_layers_get_their_shapes_from_an_example_and_their_weights_from_the_seed():
    model = Model(network_of(lazy), X[:2])
    one, same, other = model.fresh(3), model.fresh(3), model.fresh(4)
    assert one.params["0.weight"].shape == (16, 8) and model.maskable == {"0.weight", "3.weight"}
    assert equal(one.params, same.params) and not torch.equal(one.params["0.weight"], other.params["0.weight"])
    assert float(one.buffers["1.running_mean"].abs().sum()) == 0
    with pytest.raises(UsageError, match=r"lazy layers.*two examples"):
        Model(network_of(lazy))
    with pytest.raises(UserCodeError, match=r"Sequential on two examples: AttributeError"):
        network_of(lazy).build("no tensor")


def test_layers_in_evaluation_mode_stay_there_unless_the_whole_module_is():
    module = nn.Sequential(nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)), nn.Linear(4, 3))
    module[0].eval()
    assert frozen_parts(module) == ("0",) == Model(network_of(module)).evaluating
    kept = network_of(module)
    assert not Model(kept).template(train=True)[0][1].training
    module.eval()
    assert frozen_parts(module) == () == Model(network_of(module)).evaluating
    assert Model(network_of(module)).template(train=True)[0][1].training
    assert network_of(module).id != kept.id
    assert network_of(module).id == network_of(module.train()).id


# -- outputs


def test_the_output_that_counts_is_a_tensor_logits_or_what_is_named():
    plain, two, named = (
        torch.zeros(2, 3),
        (torch.zeros(2), torch.ones(2, 3)),
        {"logits": torch.ones(2, 3), "n": 4},
    )
    assert Output()(nn.ReLU(), (), plain) is plain and Output(1)(nn.ReLU(), (), plain) is plain
    assert Output()(nn.ReLU(), (), SimpleNamespace(logits=plain)) is plain
    assert Output(1)(nn.ReLU(), (), two) is two[1]
    assert Output("logits")(nn.ReLU(), (), named) is named["logits"]


@pytest.mark.parametrize(
    ("member", "output", "message"),
    [
        (None, (torch.zeros(2), torch.ones(2)), "ReLU returns a tuple;.*one of output=0, output=1"),
        (None, {"logits": torch.ones(2), "n": 4}, "returns a dict;.*one of output='logits'$"),
        (2, [torch.ones(2)], "a list, which has no tensor 2;.*one of output=0$"),
        (None, SimpleNamespace(hidden=torch.ones(2)), "one of output='hidden'"),
        (None, None, "returns a NoneType; a network must return the logits, a tensor"),
    ],
)
def test_another_output_is_refused_with_the_names_there_are(member, output, message):
    with pytest.raises(UsageError, match=message):
        Output(member)(nn.ReLU(), (), output)


class Auxiliary(nn.Module):
    """Returns more in training mode."""

    def __init__(self):
        super().__init__()
        self.net = mlp()

    def forward(self, x):
        return (self.net(x), self.net(x).detach()) if self.training else self.net(x)


def test_a_named_output_is_that_of_the_network_in_both_modes_and_part_of_the_id():
    named = network_of(Auxiliary, output=0)
    model = Model(named, X[:2])
    params, buffers = model.init(0)
    training, _ = model.apply(params, buffers, X, train=True)
    assert torch.equal(training, model.apply(params, buffers, X, train=False)[0])
    assert set(params) == {f"net.{name}" for name, _ in mlp().named_parameters()}
    assert len({named.id, network_of(Auxiliary).id, network_of(Auxiliary, output=1).id}) == 3
