"""Which claims of the 2020 paper ask that networks fit ("training accuracies at the time of evaluation are 100%")."""

import importlib
import re
from dataclasses import replace
from functools import cache

import pytest
from paper_items import STUDIES

from prunescope.studies.judging import judge

PARTS = {
    name.split("/")[1]: module
    for name, module in STUDIES.items()
    if name.startswith("bartoldson2020/") and not name.endswith("/yours")
}
TINY = {"data": "blobs", "blobs": 4, "width": 0.0625, "replicates": 2, "compress": 5.0}
FEW = {
    "fig3": {"periods": (4, 40, 300)},
    "appC": {"periods": (4, 40, 300)},
    "fig5": {"batches": (1, 50)},
    "appD": {"batches": (2, 3)},
}
# The paper's own exceptions are in its section 3.2: Figure 4, and Figure C3, which builds on it.
EXCEPTIONS = re.compile("resnet(18|20|56)-(accuracy|gap|best|stability)|less-stable-beats-baseline|gentle-.*")
COUNTS = re.compile(".*parameters-gone.*")
"""Parameters are counted; whether a network fits changes nothing in that."""
BEFORE = "normal-before-training"


@cache
def built(part):
    """The part with all its networks, on a handful of blobs."""
    module = importlib.import_module(PARTS[part])
    return module.build(module.SCALES["paper"].replace(**TINY, **FEW.get(part, {})), "paper")


@pytest.mark.parametrize("part", PARTS)
def test_no_claim_is_judged_where_networks_do_not_fit(part, made_up):
    published = made_up["published"]
    loose = made_up["class"](lambda run: replace(published.truth(run), fit=99.0))
    for claim in built(part).claims:
        ready = [one for one in claim.preconditions if "fits its training set" in one.says]
        if EXCEPTIONS.fullmatch(claim.name) or COUNTS.fullmatch(claim.name) or claim.name == BEFORE:
            assert not ready, claim.name
            continue
        assert ready, claim.name
        for world, why in ((published, ""), (loose, "fits its training set")):
            verdict = judge(replace(claim, preconditions=tuple(ready)), world)
            assert why in verdict.why, claim.name
            assert (verdict.interval_rule == "not judgeable at this scale") == bool(why), claim.name


def test_there_are_exceptions():
    names = {claim.name for part in ("fig4", "appC", "fig2") for claim in built(part).claims}
    assert sum(bool(EXCEPTIONS.fullmatch(name)) for name in names) == 4 * 3 + 4
    assert any(COUNTS.fullmatch(name) for name in names)
