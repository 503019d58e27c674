import pytest
import torch

from prunescope.base.state import Weights
from prunescope.base.streams import stream
from prunescope.base.tree import Masks, Tree, clone, equal, masked
from prunescope.sparsity.scores import Magnitude, Random, Score, ShuffledMagnitude
from prunescope.sparsity.select import choose

SCORES = [Magnitude(), Random(), ShuffledMagnitude()]


class Seeded:
    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, *name: str) -> torch.Generator:
        return stream(self.seed, *name)


def network() -> Weights:
    generator = stream(0, "network")
    params: Tree = {
        "b.weight": torch.randn(30, 20, generator=generator),
        "b.bias": torch.randn(30, generator=generator),
        "a.weight": 5 * torch.randn(10, 3, 3, 3, generator=generator),
    }
    masks: Masks = {n: torch.rand(params[n].shape, generator=generator) < 0.6 for n in ("b.weight", "a.weight")}
    return Weights(params=masked(params, masks), buffers={}, masks=masks)


@pytest.mark.parametrize("score", SCORES)
def test_one_finite_score_for_every_maskable_weight_and_inputs_left_alone(score: Score):
    weights = network()
    copy = clone(weights.params)
    scores = score.scores(weights, Seeded(0))
    assert scores.keys() == weights.masks.keys()
    for name, mask in weights.masks.items():
        assert scores[name].shape == mask.shape
        assert bool(scores[name].isfinite().all())
    assert equal(weights.params, copy)


@pytest.mark.parametrize("score", SCORES)
def test_scores_follow_the_stream_and_not_the_order_of_names(score: Score):
    weights = network()
    reordered = weights.replace(masks=dict(reversed(weights.masks.items())))
    assert equal(score.scores(weights, Seeded(1)), score.scores(reordered, Seeded(1)))


@pytest.mark.parametrize("score", [Random(), ShuffledMagnitude()])
def test_another_seed_draws_other_scores(score: Score):
    weights = network()
    left, right = score.scores(weights, Seeded(1)), score.scores(weights, Seeded(2))
    assert not any(torch.equal(left[name], right[name]) for name in left)


def test_magnitude_is_the_absolute_value():
    weights = Weights(params={"w": torch.tensor([-2.0, 0.5, 0.0])}, buffers={}, masks={"w": torch.ones(3).bool()})
    assert Magnitude().scores(weights, Seeded(0))["w"].tolist() == [2.0, 0.5, 0.0]


def test_random_scores_are_uniform_and_have_no_ties():
    weights = Weights(
        params={"w": torch.zeros(200, 500)}, buffers={}, masks={"w": torch.ones(200, 500, dtype=torch.bool)}
    )
    drawn = Random().scores(weights, Seeded(0))["w"].flatten()
    assert len(drawn.unique()) == len(drawn)
    # Kolmogorov-Smirnov distance to the uniform distribution; 1.95 / sqrt(n) is the 0.1 % quantile.
    grid = torch.arange(1, len(drawn) + 1, dtype=torch.float64) / len(drawn)
    assert float((drawn.sort().values - grid).abs().max()) < 1.95 / len(drawn) ** 0.5


def test_shuffled_magnitudes_are_the_layers_own_among_what_remains():
    weights = network()
    shuffled = ShuffledMagnitude().scores(weights, Seeded(0))
    for name, mask in weights.masks.items():
        own = weights.params[name].abs()
        assert torch.equal(shuffled[name][mask].sort().values, own[mask].sort().values)
        assert not torch.equal(shuffled[name][mask], own[mask])
        assert bool((shuffled[name][~mask] == 0).all())


def test_shuffled_magnitudes_take_from_every_layer_what_magnitude_takes():
    weights = network()
    chosen = [
        choose(score.scores(weights, Seeded(0)), weights.masks, count=150)
        for score in (Magnitude(), ShuffledMagnitude())
    ]
    for name in weights.masks:
        assert int(chosen[0][name].sum()) == int(chosen[1][name].sum())
        assert not torch.equal(chosen[0][name], chosen[1][name])


def test_shuffling_gives_every_position_the_same_chance():
    weights = Weights(params={"w": torch.arange(1.0, 5.0)}, buffers={}, masks={"w": torch.ones(4).bool()})
    lowest = [int(ShuffledMagnitude().scores(weights, Seeded(seed))["w"].argmin()) for seed in range(400)]
    counts = torch.bincount(torch.tensor(lowest), minlength=4)
    # Binomial(400, 1/4) has standard deviation 8.7.
    assert int(counts.min()) > 65 and int(counts.max()) < 135
