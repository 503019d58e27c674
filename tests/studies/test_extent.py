"""Every verdict says how its study stands to the paper's own settings; alone it stands at those only."""

import json
from dataclasses import replace

import pytest

import prunescope as ps
from prunescope.base.value import Value
from prunescope.studies import judge_all, report
from prunescope.studies.extent import Extent, extent
from prunescope.studies.load import Template


class Settings(Value):
    """Of a made-up study."""

    network: str = "lenet_300_100"
    epochs: int = 40


PAPER = Settings()
SCALES = {"smoke": PAPER.replace(epochs=1), "laptop": PAPER.replace(epochs=8), "paper": PAPER}


@pytest.mark.parametrize(
    ("scale", "changes", "words"),
    [
        ("paper", {}, ""),
        ("laptop", {}, " at laptop scale"),
        ("smoke", {}, " at smoke scale"),
        ("paper", {"epochs": 8}, " at paper scale but for epochs"),
        ("paper", {"epochs": 8, "network": "lenet_5"}, " at paper scale but for network, epochs"),
    ],
)
def test_a_template_knows_what_its_settings_lack(study, scale, changes, words):
    built = Template("jin2022-fake", SCALES, lambda settings, name: study).build(scale, changes)
    assert str(built.extent) == words
    assert bool(built.extent.cut) == (scale != "paper" or bool(changes))


def test_a_study_without_a_papers_claims_or_without_the_papers_scale_has_no_extent(study):
    own = tuple(replace(claim, basis="proposed") for claim in study.claims)
    proposed = replace(study, claims=own, figures=())
    assert Template("own", SCALES, lambda settings, name: proposed).build("laptop").extent is None
    assert Template("own", {"laptop": PAPER}, lambda settings, name: study).build("laptop").extent is None


def test_recalled_settings_and_other_data_are_said_at_the_papers_scale_too():
    assert str(extent("paper", PAPER, PAPER, recalled=True)) == ", setting recalled"
    jpeg = replace(extent("paper", PAPER, PAPER), data=("CIFAR-10 (JPEG copies)",))
    assert str(jpeg) == " at paper scale but for data" and jpeg.lines == ("Data: CIFAR-10 (JPEG copies).",)


def test_page_readme_and_json_say_the_scale_with_each_verdict(study, results, tmp_path):
    cut = Extent("laptop", {"epochs": (8, 40)})
    page = report.write(replace(study, extent=cut), results, tmp_path).page
    summary = json.loads((tmp_path / "summary.json").read_text())
    said = {claim["name"]: claim["said"] for claim in summary["claims"]}
    assert said["gain"] == "reproduced at laptop scale" and said["resnet"] == "not run"
    assert summary["extent"] == {"scale": "laptop", "cut": {"epochs": [8, 40]}, "data": [], "setting": "published"}
    for text in (page.read_text(), (tmp_path / "README.md").read_text()):
        assert "reproduced at laptop scale" in text and "epochs 8 (there 40)." in text and "Not the paper" not in text
    report.write(replace(study, extent=Extent("paper")), results, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {claim["name"]: claim["said"] for claim in summary["claims"]}["gain"] == "reproduced"


def test_a_verdict_that_fails_holm_says_so(study, results):
    verdict = judge_all(study.claims, results)[0]
    assert verdict.interval_rule == "reproduced"
    assert (
        replace(verdict, p_holm=0.06, extent=", setting recalled").said
        == "reproduced, setting recalled, not after Holm"
    )
    assert replace(verdict, p_holm=0.04).said == "reproduced"


def test_a_study_of_no_paper_says_what_its_data_are_where_they_are_not_the_published_ones(tmp_path, monkeypatch):
    net = ps.network("prunescope.tasks.nets:LeNet", hidden=(8,), inputs=64)
    task = ps.Task(network=net, data=ps.Data(source=ps.digits()))
    run = ps.Recipe(task=task, optimizer=ps.SGD(), schedule=ps.Constant(lr=0.1), batch=64, length="1it")
    readings = [ps.Reading(measure=ps.Risk(split="test"), state=ps.final(one)) for one in ps.replicates(run, 2)]
    error = ps.column(readings, "error")
    figure = ps.Figure(
        "error",
        "Error",
        caption="",
        rows=[ps.Rows({"level": 0, "arm": "dense"}, {"error": error})],
        plot=ps.Lines("level", "error", series="arm"),
    )
    study = ps.Study("mine", "What?", settings=run, scale="", figures=(figure,))
    ps.ensure(study.nodes, store=tmp_path / "store", workers=1)
    monkeypatch.setattr(type(ps.digits()), "variant", property(lambda source: "digits (scanned again)"))
    ps.report(study, tmp_path, store=tmp_path / "store")
    assert "Data: digits (scanned again), digest" in (tmp_path / "README.md").read_text()
