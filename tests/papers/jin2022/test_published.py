"""Published numbers and ranges, met and missed by made-up results."""

import pytest
from made_up import NOISES, Made, bench_of, gains, named, outcome

from prunescope.papers.jin2022 import fig3, fig4, fig7
from prunescope.papers.jin2022.claims import around


def test_published_gains_of_vgg_are_met_and_missed():
    bench = bench_of("vgg16")
    met = Made(bench, error=gains({0.0: 0.3, 0.15: 5.2, 0.3: 16.1, 0.6: 34.6}))
    none = Made(bench, error=gains(dict.fromkeys(NOISES, 0.2)))
    claims = list(fig3.numbers(bench))
    assert [claim.basis for claim in claims] == ["paper"] * 3
    assert {outcome(claim, met) for claim in claims} == {"reproduced"}
    assert {outcome(claim, none) for claim in claims} == {"contradicted"}
    assert not list(fig3.numbers(bench_of("lenet")))


def test_published_gaps_in_fit_are_met_and_missed():
    bench = bench_of("vgg16")
    error = gains(dict.fromkeys(NOISES, 20.0))
    met = Made(bench, error=error, noisy_loss=lambda arm, noise, level: 2.2 if level == 2 else 0.1)
    same = Made(bench, error=error, noisy_loss=lambda arm, noise, level: 9.0)
    claims = list(fig4.numbers(bench))
    assert len(claims) == 6
    assert {outcome(claim, met) for claim in claims} == {"reproduced"}
    assert {outcome(claim, same) for claim in claims} == {"contradicted"}
    assert not list(fig4.numbers(bench_of("resnet20")))


def test_published_gaps_of_width_are_met_and_missed():
    bench = bench_of("vgg16")
    met = Made(bench, error=lambda arm, noise, level: {"pruned": 8.0, "width": 9.6}.get(arm, 20.0) if level else 20.0)
    far = Made(
        bench,
        error=lambda arm, noise, level: {"pruned": 8.0, "width": 19.0}.get(arm, 20.0) if level else 20.0,
    )
    claims = [*fig7.numbers(bench), named(fig7.beside_pruning(bench), "width-is-close-30")]
    assert {outcome(claim, met) for claim in claims} == {"reproduced"}
    assert {outcome(claim, far) for claim in claims} == {"contradicted"}


@pytest.mark.parametrize(
    ("ends", "points", "low", "high"),
    [
        ((1.38, 2.97), 0.0, 0.69, 4.455),
        ((0.03, 0.13), 0.0, 0.015, 0.195),
        ((0.4, 14.5), 1.0, 0.0, 21.75),
        ((-0.3, -0.3), 1.0, -1.3, 0.0),
        ((0.0, 2.6), 1.0, -1.0, 3.9),
    ],
)
def test_published_ranges_have_room_but_keep_their_sign(ends, points, low, high):
    region = around(ends, points=points)
    found = (region.value - region.tolerance, region.value + region.tolerance)
    assert found == pytest.approx((low, high))
