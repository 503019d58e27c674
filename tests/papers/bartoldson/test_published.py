"""Published numbers: p-values, windows of plots, comparisons of scores."""

import importlib
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from paper_items import STUDIES
from scipy import stats

from prunescope.papers.bartoldson import v2020_app_b
from prunescope.papers.bartoldson.claims import log_p
from prunescope.papers.bartoldson.v2020_app_e import rise
from prunescope.sparsity.unit_scores import ExpectedActivation
from prunescope.studies import correlation
from prunescope.studies.correlation import Correlation, Points
from prunescope.studies.judging import judge

TINY = {"data": "blobs", "blobs": 60, "width": 0.0625, "replicates": 4, "compress": 5.0}
FEW = {
    "bartoldson2019/fig3": {"rates": (10.0, 30.0)},
    "bartoldson2019/figA2": {"periods": (4, 40)},
    "bartoldson2019/figA3": {"levels": (2, 6), "compress": 1.0},
    "bartoldson2020/fig3": {"periods": (4, 40, 300)},
    "bartoldson2020/appC": {"periods": (4, 40, 300)},
    "bartoldson2020/fig5": {"batches": (1, 50)},
    "bartoldson2020/appD": {"batches": (2, 3)},
}


@cache
def built(name):
    """A study with all networks and parts of the paper, on a handful of blobs."""
    module = importlib.import_module(STUDIES[name])
    return module.build(module.SCALES["paper"].replace(**{**TINY, **FEW.get(name, {})}), "paper")


def claims(name):
    return {claim.name: claim for claim in built(name).claims}


def bare(claim):
    """The claim without what must hold before it is judged."""
    return replace(claim, preconditions=())


def points(r, n):
    """n points of exactly this correlation."""
    x, noise = np.random.default_rng(3).normal(size=(2, n))
    x -= x.mean()
    noise -= noise.mean() + x * (noise @ x) / (x @ x)
    y = r * x / np.linalg.norm(x) + np.sqrt(1 - r**2) * noise / np.linalg.norm(noise)
    return Points(x, y, ("a",) * n, tuple(range(n)))


@pytest.mark.parametrize("r", [-0.9, -0.3, 0.2, 0.84])
def test_a_p_value_is_scipys_with_the_other_sign_on_the_other_side(r):
    some = points(r, 12)
    expected = stats.pearsonr(some.x, some.y)
    side, other = ("greater", "less") if r > 0 else ("less", "greater")
    assert expected.statistic == pytest.approx(r)
    once = np.ones((1, 12))
    assert log_p(some, once, side=side, runs=12) == pytest.approx(np.log10(expected.pvalue))
    assert log_p(some, once, side=other, runs=12) == pytest.approx(-np.log10(expected.pvalue))
    assert log_p(some, once, side=side, runs=40) < log_p(some, once, side=side, runs=12)


def test_a_p_value_of_no_correlation_has_a_jackknifes_error():
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    some = Points(x, y, ("a",) * 30, tuple(range(30)))
    for side in ("greater", "less"):
        values = correlation.pseudo_values(some, partial(log_p, side=side, runs=30))
        assert values.std() > 0.1


PRINTED = [
    ("bartoldson2020/fig2", "vgg11-tradeoff", -0.73, 4.4e-6, 30),
    ("bartoldson2020/fig2", "resnet18-tradeoff", -0.43, 0.015, 30),
    ("bartoldson2019/fig1", "drop-and-accuracy", 0.84, 1.6e-11, 40),
]


@pytest.mark.parametrize(("study", "name", "r", "p", "runs"), PRINTED)
def test_printed_p_values_are_those_of_printed_correlations(study, name, r, p, runs):
    side = "greater" if r > 0 else "less"
    told = claims(study)[f"{name}-p"].region
    assert told.value == pytest.approx(np.log10(p), abs=0.005)
    # r is printed with two digits; .015 is that of 31 runs.
    ends = [log_p(points(r + e, runs), np.ones((1, runs)), side=side, runs=runs) for e in (-0.01, 0.01)]
    assert min(ends) <= told.value <= max(ends)
    fisher = correlation.fisher_interval(Correlation(r, p, runs))
    far = [log_p(points(end, runs), np.ones((1, runs)), side=side, runs=runs) for end in (fisher.low, fisher.high)]
    assert told.tolerance == pytest.approx(max(abs(end - told.value) for end in far), abs=0.1)


def test_a_p_value_of_another_correlation_contradicts(made_up):
    """At a correlation of almost -1 the p-value of 30 runs is far below 4.4e-6; at almost 1 it is on the other side."""
    claim = bare(claims("bartoldson2020/fig2")["vgg11-tradeoff-p"])
    assert (claim.quantity(made_up["published"]) < -20).all()
    assert (claim.quantity(made_up["opposite"]) > 20).all()
    assert {judge(claim, made_up[world]).interval_rule for world in ("published", "opposite")} == {"contradicted"}


@pytest.mark.parametrize(("level", "verdict"), [(85.0, "reproduced"), (82.0, "contradicted"), (88.0, "contradicted")])
def test_every_arm_is_in_the_window_of_the_plot_or_the_claim_fails(level, verdict, made_up):
    claim = bare(claims("bartoldson2020/fig2")["vgg11-window"])
    one_out = made_up["class"](
        lambda run: made_up["truth"](
            drop=2.0 * bool(run.interventions), accuracy=85.0 if run.interventions else level, sharp=1.0
        )
    )
    assert judge(claim, one_out).interval_rule == verdict


def test_a_window_is_as_wide_as_its_axis_in_every_arm(made_up):
    distances = claims("bartoldson2020/fig2")["resnet18-window"].quantity(made_up["published"])
    assert distances.shape == (4, 2 * 4)
    assert (distances[:, :4] + distances[:, 4:]) == pytest.approx(np.full((4, 4), 88.5 - 84.0))


@pytest.mark.parametrize(("slope", "verdict"), [(0.5, "reproduced"), (-0.5, "contradicted")])
def test_e_bn_correlates_more_strongly_or_the_claim_fails(slope, verdict, made_up):
    """With the score of Figure 2 only the arm in the middle is better; with E[BN] accuracy rises or falls by drops."""

    def truth(run):
        found = made_up["published"].truth(run)
        expected = run.interventions and isinstance(run.interventions[0].score, ExpectedActivation)
        middle = run.interventions and run.interventions[0].target == "smallest" and found.drop > 1
        return replace(found, accuracy=80 + slope * found.drop if expected else 80.0 + middle)

    study = v2020_app_b.build(v2020_app_b.SCALES["smoke"].replace(replicates=6), "smoke")
    (claim,) = (one for one in study.claims if one.name == "vgg11-stronger")
    assert judge(claim, made_up["class"](truth)).interval_rule == verdict


def test_the_rise_along_eigenvectors_is_the_mean_over_what_figure_e4_shows():
    steps = np.array([-0.2, -0.12, -0.1, 0.0, 0.1, 0.12, 0.2])
    one, two = np.array([9.0, 3.0, 2.0, 0.0, 4.0, 5.0, 9.0]), np.array([9.0, 1.0, 1.0, 0.0, 1.0, 1.0, 9.0])
    reading = {"steps": steps, "increase.0": one, "increase.1": two, "epsilon": np.array(0.1)}
    assert rise(reading) == pytest.approx((3 + 2 + 4 + 5 + 4) / 8)
    assert np.isnan(rise({"steps": np.array([-0.2, 0.0, 0.2]), "increase.0": np.zeros(3)}))


def test_stability_goes_down_to_that_of_the_less_stable_rate(made_up):
    """Not to that of the higher rate, if the lower one happens to be less stable."""
    claim = bare(claims("bartoldson2020/fig4")["resnet20-stability"])

    def truth(run):
        events = len(run.interventions[0].layers[0].steps(run.clock())) if run.interventions else 0
        return made_up["truth"](drop={0: 0.0, 3: 20.0, 2: 5.0}[events], accuracy=80.0, sharp=1.0, wait=0)

    assert claim.quantity(made_up["class"](truth)) == pytest.approx(np.full(4, 75.0), abs=0.1)


@pytest.mark.parametrize("paper", ["bartoldson2019", "bartoldson2020"])
def test_no_claim_of_a_paper_hides_another(paper):
    """In the report of a whole paper claims of one name are one claim."""
    found = [
        claim.name for name in STUDIES if name.startswith(paper) and "yours" not in name for claim in built(name).claims
    ]
    assert len(found) == len(set(found))
