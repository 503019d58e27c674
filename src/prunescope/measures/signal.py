"""What a two-layer network has learned of signal and of noise.

Notation: w_jr the weights of neuron r of class j, 0 where removed; mu_k the signal of class k; xi_i the noise
patch of example i.
"""

import torch
from torch import Tensor

from prunescope.base.errors import UsageError
from prunescope.base.state import Weights
from prunescope.base.tree import Tree
from prunescope.measures.measure import Measure
from prunescope.tasks.data.signal_noise import Signal
from prunescope.tasks.task import Problem, Split

LAYER = "fc1.weight"


class SignalAndNoise(Measure):
    """Signal learned and noise memorized, as products of weights and patches.

    signal: float32 [K], max_r max(0, <w_jr, mu_j>) for class j.
    signal_mean, signal_min: float64 0-D, over the classes.
    noise: float32 [N], max_r <w_yr, xi_i> for training example i, y the label used.
    noise_mean: float64 0-D, over the examples.

    Source: Yang et al. 2023, the two quantities of its analysis (recalled).
    """

    signal: Signal = Signal()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Five tensors by name. Raises UsageError for another network or other data."""
        neurons, y = _neurons(weights.params, problem), problem.train.y
        signals = _signals(self.signal, neurons)
        learned = torch.einsum("jrd,jd->jr", neurons, signals).clamp(min=0).amax(dim=1)
        products = torch.einsum("nd,jrd->njr", noise_patches(problem.train, signals), neurons)
        memorized = products[torch.arange(len(y), device=y.device), y].amax(dim=1)
        return {
            "signal": learned,
            "signal_mean": learned.double().mean(),
            "signal_min": learned.double().min(),
            "noise": memorized,
            "noise_mean": memorized.double().mean(),
        }


class SignalNeurons(Measure):
    """Which neurons can see their class's signal.

    kept: int64 [K], how many neurons of class j keep a coordinate of mu_j.
    active: int64 [K], how many have <w_jr, mu_j> > 0; they alone pass the ReLU.
    kept_min, active_min: float64 0-D, the least over the classes.
    dead: float64 0-D, how many classes have no active neuron.

    Right after pruning at initialization, at the moment "after" step 0, the active neurons are the usable ones.
    """

    signal: Signal = Signal()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Five tensors by name. Raises UsageError for another network."""
        neurons, masks = _neurons(weights.params, problem), _neurons(weights.masks, problem)
        signals = _signals(self.signal, neurons)
        kept = (masks & (signals != 0)[:, None]).any(dim=2).sum(dim=1)
        active = (torch.einsum("jrd,jd->jr", neurons, signals) > 0).sum(dim=1)
        return {
            "kept": kept,
            "active": active,
            "kept_min": kept.double().min(),
            "active_min": active.double().min(),
            "dead": (active == 0).double().sum(),
        }


class NoiseResponse(Measure):
    """How much the logits move by noise alone: on the test examples' noise patches, without the signal patch.

    response: float32 [K], standard deviation over the examples of logit j.
    response_mean: float64 0-D, over the classes.
    """

    signal: Signal = Signal()

    def measure(self, problem: Problem, weights: Weights) -> dict[str, Tensor]:
        """Two tensors by name. Raises UsageError for another network or other data."""
        signals = _signals(self.signal, _neurons(weights.params, problem))
        patches = noise_patches(problem.test, signals)
        logits, _ = problem.model.apply(weights.params, weights.buffers, patches[:, None], train=False)
        response = logits.std(dim=0)
        return {"response": response, "response_mean": response.double().mean()}


def noise_patches(split: Split, signals: Tensor) -> Tensor:
    """The patch of each example that is not its class's signal: float32 [N, d].

    Args: split: examples [N, 2, d] of `SignalNoise`; signals: float32 [K, d].
    Raises: UsageError where an example does not hold its class's signal, bit by bit.
    """
    x = split.inputs.take(split.index)
    if x.shape[1:] != (2, signals.shape[1]):
        raise UsageError(
            f"examples have shape {tuple(x.shape[1:])}; this measure is for SignalNoise data, "
            f"two patches of {signals.shape[1]}"
        )
    is_signal = (x == signals[split.clean][:, None]).all(dim=2)
    if not bool(is_signal.any(dim=1).all()):
        raise UsageError(
            "some examples do not hold the signal that the measure names; give it the signal of the data's source"
        )
    return x[:, 1].where(is_signal[:, :1], x[:, 0])


def _neurons(layers: Tree, problem: Problem) -> Tensor:
    """The first layer by class and neuron, [K, m, d]."""
    layer = layers.get(LAYER)
    if layer is None or layer.ndim != 2 or len(layers) != 1 or len(layer) % problem.classes:
        raise UsageError(
            f"this measure is for the network TwoLayer, whose one layer is {LAYER}; this one has {', '.join(layers)}"
        )
    return layer.reshape(problem.classes, -1, layer.shape[1])


def _signals(signal: Signal, neurons: Tensor) -> Tensor:
    return signal.vectors(len(neurons), neurons.shape[2]).to(neurons.device)
