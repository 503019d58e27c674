"""bartoldson2020/appB: scoring filters by the expected activation, and whether its premise holds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prunescope.papers.bartoldson import pruning, views
from prunescope.papers.bartoldson.arms import STABILITIES, Comparison
from prunescope.papers.bartoldson.normality import PARTS, degrades, histograms, normality, starts
from prunescope.papers.bartoldson.sizes import PAPER_2020, EventSize, words
from prunescope.papers.bartoldson.statements import PSEUDO, correlates, fits, is_number, moves, whole
from prunescope.papers.bartoldson.training import GROUPS
from prunescope.papers.bartoldson2020 import fig2, setting
from prunescope.sparsity.unit_scores import ExpectedActivation
from prunescope.studies import correlation
from prunescope.studies.claim import Claim, Precondition
from prunescope.studies.region import Direction
from prunescope.studies.results import Numbers, Results
from prunescope.studies.study import Study

Settings, SCALES = fig2.Settings, fig2.SCALES
PLACE = "Bartoldson et al. 2020, section 3.1 and appendix B"


def comparisons(settings: fig2.Settings) -> dict[str, Comparison]:
    """The arms of Figure 2 with filters scored by E[BN]: signed in ResNet18, as in the authors' code."""
    makers = {
        "VGG11": lambda: setting.three(GROUPS["vgg11"], pruning.VGG11, settings, score=ExpectedActivation()),
        "ResNet18": lambda: setting.three(
            GROUPS["resnet18"], pruning.RESNET18_EARLY, settings, score=ExpectedActivation(signed=True)
        ),
    }
    return {name: makers[name]() for name in settings.networks}


def build(settings: fig2.Settings, scale: str) -> Study:
    """The study under these settings."""
    panels, before = comparisons(settings), fig2.comparisons(settings)
    plain = pruning.plain_arm(GROUPS["vgg11"], settings)
    unpruned = Comparison((plain,), look=setting.look(settings))
    looks = {when: [normality(run, part) for run in plain.runs] for when, part in PARTS.items()}
    layers = {"VGG11": pruning.VGG11, "ResNet18": pruning.RESNET18_EARLY}
    figures = [
        views.dynamics(panels, name="figb2-left", title="Figure B2, left: test accuracy during training"),
        histograms(looks, plain.runs, name="figb1", title="Figure B1: normalized activations by layer"),
    ]
    claims = [starts(looks), degrades(looks, fits(unpruned))]
    for panel, one in panels.items():
        roles = setting.names(layers[panel], settings)
        arms, tag = _arms(roles), panel.lower()
        new, old = _Ways(one, arms), _Ways(before[panel], _arms(setting.names(_old(panel), settings)))
        figures += [
            views.scatter(
                {panel: one},
                "mean_stability",
                "best",
                arms=arms,
                name=f"figb2-right-{tag}",
                title=f"Figure B2, right: stability and accuracy, {panel}",
            ),
            views.correlations(
                {panel: one},
                [(x, y) for x in STABILITIES for y in ("best", "final")],
                arms=arms,
                name=f"figb2-correlations-{tag}",
                title=f"Correlations, filters scored by E[BN], {panel}",
            ),
        ]
        claims += [
            correlates(
                one,
                f"{tag}-tradeoff-ebn",
                f"With filters of {panel} scored by E[BN], best accuracy falls with mean stability.",
                x="mean_stability",
                y="best",
                region=Direction("less"),
                arms=arms,
                place=PLACE,
            ),
            _wider(panel, new, old, "mean_stability", "stabilities"),
            _wider(panel, new, old, "best", "accuracies", "-accuracy"),
            _stronger(panel, new, old),
            *_drops(panel, one, roles, settings),
        ]
    shown = (unpruned, *panels.values(), *before.values())
    nodes = [node for one in shown for node in one.nodes]
    return Study(
        "bartoldson2020/appB",
        "Does a score made for normalized networks widen the range of stability, and does its premise hold?",
        settings=settings,
        scale=words(settings, scale),
        paper=PAPER_2020,
        nodes=[*nodes, *(look for some in looks.values() for look in some)],
        figures=tuple(figures),
        claims=tuple(claims),
        notes=(
            "Normality is that of VGG11 trained here; the paper shows a VGG19 trained on ImageNet, without numbers.",
        ),
    )


def _old(panel: str) -> pruning.Layers:
    return {"VGG11": pruning.VGG11, "ResNet18": pruning.RESNET18}[panel]


def _arms(roles: Mapping[str, str]) -> tuple[str, ...]:
    return roles["S1"], roles["S13"], roles["L13"]


def _drops(panel: str, one: Comparison, roles: Mapping[str, str], size: EventSize) -> list[Claim]:
    """How much single events cost, as far as the authors' figure scripts say it."""
    events = {"VGG11": {"L13": 29.0}, "ResNet18": {"S13": 27.0, "L13": 45.0}}[panel]
    return [
        is_number(
            one,
            f"{panel.lower()}-worst-drop-{role[0].lower()}-ebn",
            f"With E[BN], the worst event of {roles[role]} in {panel} costs about {cost:g} points of test accuracy.",
            arm=roles[role],
            quantity="worst_drop",
            value=cost,
            tolerance=5.0,
            basis="proposed",
            place="Bartoldson et al. 2020, Figure B2, arrows (from the authors' figure script; tolerance proposed)",
            preconditions=(whole(size), fits(one, arms=(roles[role],))),
        )
        for role, cost in events.items()
    ]


@dataclass(frozen=True)
class _Ways:
    """The three ways to prune of Figure 2 under one score."""

    comparison: Comparison
    arms: tuple[str, ...]

    def spread(self, results: Results, quantity: str) -> Numbers:
        found = [self.comparison.values(results, name, quantity) for name in self.arms]
        return np.asarray(np.max(found, axis=0) - np.min(found, axis=0))

    def r(self, results: Results) -> Numbers:
        points = self.comparison.points(results, "mean_stability", "best", arms=self.arms)
        return correlation.pseudo_values(points, correlation.r)

    def fits(self, *quantities: str) -> Precondition:
        return fits(self.comparison, *quantities, arms=self.arms)


def _wider(panel: str, new: _Ways, old: _Ways, quantity: str, what: str, tag: str = "") -> Claim:
    return Claim(
        f"{panel.lower()}-wider{tag}",
        f"E[BN] gives a wider range of {what} over the arms of {panel} than the score of Figure 2.",
        basis="paper",
        place=PLACE,
        region=Direction("greater"),
        sample=lambda r: new.spread(r, quantity) - old.spread(r, quantity),
        preconditions=(new.fits(quantity), old.fits(quantity)),
        unit=f"points of {quantity.replace('_', ' ')} between the outermost arms, E[BN] minus Figure 2's score",
    )


def _stronger(panel: str, new: _Ways, old: _Ways) -> Claim:
    return Claim(
        f"{panel.lower()}-stronger",
        f"With E[BN], stability and accuracy of {panel} are correlated more strongly, further below 0, than with the "
        "score of Figure 2.",
        basis="paper",
        place=PLACE,
        region=Direction("less"),
        sample=lambda r: new.r(r) - old.r(r),
        preconditions=tuple(
            ready
            for ways in (new, old)
            for ready in (ways.fits("mean_stability", "best"), moves(ways.comparison, arms=ways.arms))
        ),
        unit=f"{PSEUDO} Pearson's correlation, E[BN] minus Figure 2's score",
    )
