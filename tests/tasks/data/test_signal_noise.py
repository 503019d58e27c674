"""The data of the theory: one patch of signal, one of noise."""

import pytest
import torch

from prunescope.base.errors import DataError, UsageError
from prunescope.tasks.data.signal_noise import DenseSignal, OppositeSignal, Signal, signal_noise
from prunescope.tasks.nets import TwoLayer

SIGNALS = {"sparse": Signal, "dense": DenseSignal}


def everything(source):
    arrays = source.load()
    return arrays.train_x.take(torch.arange(source.train)), arrays.train_y


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_each_example_holds_its_signal_and_noise_in_random_order(kind):
    source = signal_noise(classes=3, dimension=50, signal=SIGNALS[kind](strength=2.0), noise=0.5, train=600)
    x, y = everything(source)
    signals = source.signal.vectors(3, 50)
    told = (x == signals[y][:, None]).all(dim=2)
    assert x.shape == (600, 2, 50) and bool((told.sum(dim=1) == 1).all())
    # Binomial(600, 1/2) has standard deviation 12.2, Binomial(600, 1/3) 11.5.
    assert abs(int(told[:, 0].sum()) - 300) < 60
    assert (torch.bincount(y, minlength=3) - 200).abs().max() < 58
    noise = x[~told]
    assert abs(float(noise.mean())) < 0.015 and abs(float(noise.std()) - 0.5) < 0.01


def test_signals_are_orthogonal_of_one_length_and_dense_ones_use_every_coordinate():
    for kind in ("sparse", "dense"):
        vectors = SIGNALS[kind](strength=1.5).vectors(5, 33)
        torch.testing.assert_close(vectors @ vectors.T, 2.25 * torch.eye(5), atol=1e-5, rtol=0)
    assert torch.equal(Signal().vectors(2, 3), torch.eye(2, 3))
    # The middle of odd waves over an odd number of points is their node.
    dense = DenseSignal().vectors(2, 32)
    assert bool((dense != 0).all()) and float(dense.abs().max()) < 0.3


def test_opposite_signals_share_an_axis_and_are_two():
    assert OppositeSignal(strength=2.0).vectors(2, 3).tolist() == [[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]
    with pytest.raises(UsageError, match="classes=3: two opposite signals are for 2 classes"):
        OppositeSignal().vectors(3, 5)


def test_a_seed_is_a_source_and_the_signals_do_not_depend_on_it():
    first, again, other = signal_noise(), signal_noise(), signal_noise(seed=1)
    assert first == again and first.digest != other.digest and first.id != other.id
    assert not torch.equal(everything(first)[0], everything(other)[0])
    assert torch.equal(everything(first)[0], everything(again)[0])


def test_noise_only_scales_and_splits_are_apart():
    small, large = (everything(signal_noise(noise=noise, dimension=20))[0] for noise in (0.25, 0.5))
    at = (small == 1.0).any(dim=2)
    assert torch.equal(2 * small[~at], large[~at])
    arrays = signal_noise(train=50, test=50, dimension=20).load()
    index = torch.arange(50)
    assert not torch.equal(arrays.train_x.take(index), arrays.test_x.take(index))


def test_the_bits_are_pinned():
    """A change means that every stored run on this source would silently become another one."""
    assert signal_noise(dimension=10, train=5, test=5).digest == "d8fcb73e75d0fe4b57cf54cebbd37e12"
    dense = signal_noise(dimension=10, train=5, test=5, signal=DenseSignal())
    assert dense.digest == "624f6a1f1449c3fdfef27ea86ab9ca19"


def test_impossible_settings_and_other_content_are_refused():
    with pytest.raises(UsageError, match="5 orthogonal signals do not fit in 4"):
        Signal().vectors(5, 4)
    with pytest.raises(UsageError, match="do not fit in"):
        signal_noise(classes=5, dimension=4)
    for unfit in ({"noise": -1.0}, {"classes": 1}, {"train": 0}, {"seed": -1}):
        with pytest.raises(UsageError):
            signal_noise(**unfit)
    with pytest.raises(UsageError):
        Signal(strength=0.0)
    with pytest.raises(DataError, match="digest"):
        signal_noise().replace(digest="0" * 32).load()


def test_the_network_is_the_sum_of_powers_over_neurons_and_patches():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TwoLayer(inputs=6, width=4, classes=3, power=3.0, deviation=0.5).double()
    x, _ = everything(signal_noise(classes=3, dimension=6, train=8))
    w = network.fc1.weight.detach().reshape(3, 4, 6)
    for i, example in enumerate(x.double()):
        for j in range(3):
            expected = sum(max(0.0, float(w[j, r] @ example[p])) ** 3 for r in range(4) for p in range(2))
            assert float(network(x[i : i + 1].double()).detach()[0, j]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"power": 0.5}, "power=0.5"), ({"inputs": 0}, "inputs=0"), ({"deviation": 0.0}, "deviation=0.0")],
)
def test_the_network_refuses_impossible_arguments(changes, says):
    with pytest.raises(UsageError, match=says):
        TwoLayer(**({"inputs": 4, "width": 2} | changes))
