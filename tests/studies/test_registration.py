"""What is claimed is written down once, before the first run; what is changed afterwards says so."""

import json
from dataclasses import replace

import numpy as np
import pytest

from prunescope.base.value import Value
from prunescope.runs.store.housekeeping import files, garbage
from prunescope.runs.store.store import Store
from prunescope.studies import Claim, Direction, Quantity, Study, report
from prunescope.studies.registration import ADDED, CHANGED, register, registration
from prunescope.studies.rule import OneStandardDeviation


class Settings(Value):
    """One number."""

    number: int = 1


SETTINGS = Settings()


def study_of(settings=SETTINGS):
    falls = Quantity("", "points", (), lambda results: np.array([-1.0, -1.2, -0.8]))
    claims = (
        Claim("falls", "It falls.", falls, Direction("less")),
        Claim("rises", "It rises.", falls, Direction("greater")),
    )
    return Study("tiny", "Does it fall?", settings=settings, claims=claims)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    register(study_of(), store)
    return store


def test_a_study_that_is_as_it_was_registered_has_no_marks(store):
    found = registration(study_of(), store)
    assert found.marks == {} and "2 claims were registered in this store on 2" in found.sentence
    assert found.sentence.endswith("before any of their results was in it.")


@pytest.mark.parametrize("change", [{"says": "It falls a little."}, {"region": Direction("less", than=-1.0)}])
def test_a_claim_that_was_changed_after_is_marked_for_ever(store, change):
    falls, rises = study_of().claims
    later = replace(study_of(), claims=(replace(falls, **change), rises, replace(rises, name="more")))
    register(later, store)
    found = registration(later, store)
    assert found.marks == {"falls": CHANGED, "more": ADDED}
    assert found.digest == registration(study_of(), store).digest


def test_claims_that_are_gone_and_another_rule_are_said(store):
    later = replace(study_of(), claims=study_of().claims[1:], rule=OneStandardDeviation())
    sentence = registration(later, store).sentence
    assert "gone since: falls." in sentence and "rule was none and is one standard deviation" in sentence


def test_other_settings_are_another_study_and_nothing_registered_is_nothing(store, tmp_path):
    assert registration(study_of(SETTINGS.replace(number=2)), store) is None
    assert registration(study_of(), Store(tmp_path / "empty")) is None


def test_a_study_without_claims_says_nothing_of_them_until_it_has_some(tmp_path):
    store, empty = Store(tmp_path / "store"), replace(study_of(), claims=())
    register(empty, store)
    assert registration(empty, store) is None
    assert registration(study_of(), store).marks == {"falls": ADDED, "rises": ADDED}


def test_the_mark_is_printed_with_the_verdict(store, tmp_path):
    falls, rises = study_of().claims
    later = replace(study_of(), claims=(replace(falls, says="It falls a little."), rises))
    page = report.write(later, {}, tmp_path, registered=registration(later, store)).page
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [claim["said"] for claim in summary["claims"]] == [f"reproduced, {CHANGED}", "contradicted"]
    assert summary["registered"]["marks"] == {"falls": CHANGED}
    for text in (page.read_text(), (tmp_path / "README.md").read_text()):
        assert f"reproduced, {CHANGED}" in text and "claims were registered in this store on" in text


def test_a_registration_is_a_file_to_verify_and_no_run_no_pin_and_no_garbage(store):
    (key,) = (entry.key for entry in store.storage.entries("registered"))
    assert files(store) == [key] and store.pins() == {} and list(store.run_ids()) == []
    assert key not in repr(garbage(store, {}))
