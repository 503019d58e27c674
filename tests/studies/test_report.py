import base64
import html
import json
import math
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from prunescope.base.errors import UsageError
from prunescope.cli.why import _claim
from prunescope.studies import Claim, Computed, Direction, Figure, judge_all, report
from prunescope.studies.folder import require_folder
from prunescope.studies.plot import Listing
from prunescope.studies.quantity import Estimate, Estimated
from prunescope.studies.rule import CorrelationBelow5Percent, OneStandardDeviation
from prunescope.studies.statistics import Interval

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Balance(HTMLParser):
    """Collects tags and fails on one that is closed out of order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.ids = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"


@pytest.fixture
def page(study, results, arguments, tmp_path):
    return report.write(study, results, tmp_path, **arguments).page


def test_report_writes_page_summary_figures_and_data(page, study):
    files = {str(path.relative_to(page.parent)) for path in page.parent.rglob("*") if path.is_file()}
    assert files == {"index.html", "README.md", "summary.json", "figures/error.svg", "data/error.csv"}


def test_equal_inputs_give_equal_bytes(page, study, results, arguments, tmp_path):
    again = report.write(study, results, tmp_path / "again", **arguments).page
    for name in ("index.html", "README.md", "summary.json", "figures/error.svg", "data/error.csv"):
        assert (again.parent / name).read_bytes() == (page.parent / name).read_bytes()


def test_an_earlier_report_in_the_folder_leaves_nothing_and_files_of_the_users_stay(
    study, results, arguments, tmp_path
):
    """Its data would be found as numbers of the report that is there now."""
    other = replace(study, figures=(replace(study.figures[0], name="depth"),), claims=())
    report.write(study, results, tmp_path, **arguments)
    (tmp_path / "data" / "mine.csv").write_text("a\n1\n")
    report.write(other, results, tmp_path, **arguments)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    own = {"index.html", "README.md", "summary.json", "figures/depth.svg", "data/depth.csv"}
    assert files == own | {"data/mine.csv"}


@pytest.mark.parametrize("page", ["README.md", "index.html"])
def test_a_page_that_is_of_no_report_stays(page, study, results, arguments, tmp_path):
    (tmp_path / page).write_text("mine")
    with pytest.raises(UsageError, match=rf"{page} is of no report, and would be replaced by one; name a"):
        report.write(study, results, tmp_path, **arguments)
    assert [path.name for path in tmp_path.iterdir()] == [page] and (tmp_path / page).read_text() == "mine"


def test_a_folder_that_cannot_be_written_in_is_named_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match=rf"{tmp_path} cannot be written in, and the report would be in .*new; name"):
        require_folder(tmp_path / "new")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"figures": 3}', '{"figures": ["../../precious", 1]}'])
def test_a_summary_that_is_not_of_a_report_removes_nothing(text, study, results, arguments, tmp_path):
    folder, precious = tmp_path / "a" / "b", tmp_path / "a" / "precious.svg"
    (folder / "figures").mkdir(parents=True)
    precious.write_text("")
    (folder / "summary.json").write_text(text)
    report.write(study, results, folder, **arguments)
    assert precious.exists() and json.loads((folder / "summary.json").read_text())["study"] == study.name


def test_page_is_balanced_with_unique_ids(page):
    parser = Balance()
    parser.feed(page.read_text())
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))


def test_page_stands_alone_and_escapes_everything(page):
    text = page.read_text()
    assert not re.search(r'(?:src|href)="(?!#|data:)', text)
    assert "<b>" not in re.findall(r"<h3>(.*)</h3>", text)[0]
    assert "weights remaining &lt;b&gt;" in text
    assert "40ep &lt;end&gt;" in text
    assert not re.search(r"<script[^>]*src", text)


def test_tables_in_markdown_have_as_many_cells_whatever_they_say(study, results, arguments, tmp_path):
    """Names of groups are the user's; a bar would be a new cell, a line break the end of the table."""
    rows = [{"group": "a|b", "KL(p || q)": 0.5, "p": 1e-20}, {"group": "two\nlines", "KL(p || q)": 1.0, "p": 0.25}]
    figure = Figure("odd", "Odd names", caption="", rows=[Computed((), lambda results: rows)], plot=Listing())
    page = report.write(replace(study, figures=(figure,), claims=()), results, tmp_path, **arguments).page
    text = (page.parent / "README.md").read_text()
    shown = text[text.index("## Odd names") :].splitlines()[2:6]
    assert shown == [
        r"| group | KL(p \|\| q) | p |",
        "| --- | --- | --- |",
        r"| a\|b | 0.5 | 1.00e−20 |",
        "| two lines | 1 | 0.25 |",
    ]


def test_page_says_what_happened(page):
    text = html.unescape(page.read_text())
    for fragment in (
        "Of 7 claims, the interval rule finds 1 reproduced, 1 contradicted, 3 inconclusive, 1 not judgeable at this "
        "scale and 1 not run; by one standard deviation (Jin et al.): 3 reproduced, 1 contradicted, 1 inconclusive, "
        "1 not judgeable at this scale and 1 not run.",
        "22.5\u00a0% of the time at n\u00a0=\u00a03",
        "measured 61, 64.2, 65.1 %",
        "0f3a9 was not computed",
        "the loss was not a number at step 812",
        "Of 6 results, 1 failed and 1 was not computed.",
        "versions.torch",
        "prunescope run jin2022 --scale smoke",
    ):
        assert fragment in text


def test_summary_is_plain_json_with_all_verdicts(page):
    summary = json.loads((page.parent / "summary.json").read_text())
    claims = {claim["name"]: claim for claim in summary["claims"]}
    assert claims["gain"]["by_paper"] == claims["gain"]["by_interval"] == "reproduced"
    assert claims["gain"]["estimate"] == pytest.approx(9.13333, abs=1e-4)
    assert claims["gain"]["values"] == [9.1, 8.7, 9.6]
    assert claims["resnet"]["estimate"] is None
    assert claims["resnet"]["by_paper"] == "not run"
    assert summary["settings"]["epochs"] == 40


def test_summary_has_null_for_an_end_that_is_at_infinity(study, results, tmp_path):
    unbounded = Estimated("change", "nats", (), lambda _: Estimate(Interval(0.5, 0.1, math.inf, 0.95), n=9))
    claim = Claim("open", "It rises.", unbounded, Direction("greater"), basis="proposed")
    report.write(replace(study, claims=(claim,), figures=()), results, tmp_path, cost={"seconds": math.nan})

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    (told,) = summary["claims"]
    assert (told["estimate"], told["low"], told["high"]) == (0.5, 0.1, None)
    assert told["by_interval"] == "reproduced"
    assert summary["cost"]["seconds"] is None
    assert "[0.1, none]" in " ".join(_claim(told, None))


def test_data_link_holds_the_csv_file(page):
    encoded = re.findall(r'href="data:text/csv;base64,([^"]+)"', page.read_text())
    assert base64.b64decode(encoded[0]) == (page.parent / "data/error.csv").read_bytes()


def test_only_points_of_several_replicates_are_said_to_be_shaded(study, results):
    drawn = report.draw(study.figures[0], results)
    plot, first = drawn.figure.plot, drawn.table[0]
    assert "Shaded: " in drawn.explained
    single = [row for row in drawn.table if row[plot.replicate] == first[plot.replicate]]
    assert replace(drawn, table=single).explained == drawn.figure.caption


def test_claims_stand_below_the_figures_that_they_are_about(study, results, tmp_path):
    error, absent = study.figures
    shown = replace(error, claims=study.claims[:2])
    text = report.write(replace(study, figures=(shown, absent)), results, tmp_path).page.read_text()
    figure = text[text.index('<figure id="figure-error">') : text.index("</figure>")]
    assert figure.count('href="#claim-') == 2 and 'href="#claim-gain"' in figure
    assert "Jin et al. 2022, Fig. 7" in figure
    only = replace(study, figures=(error,))
    assert only.claims_of(error) == study.claims


def test_claims_of_figures_are_claims_of_the_study_and_names_mean_one_claim(study):
    error, absent = study.figures
    first, second = study.claims[:2]
    shown = (replace(error, claims=(second,)), replace(absent, claims=(second,)))
    assert replace(study, figures=shown, claims=(first,)).claims == (second, first)
    other = replace(first, name=second.name)
    with pytest.raises(UsageError, match="two claims are called 'width'"):
        replace(study, figures=shown, claims=(other,))


def test_figures_name_their_runs_and_every_recipe_stands_once(page, study, results, arguments, tmp_path, monkeypatch):
    text = page.read_text()
    figure = text[text.index("Runs behind it") : text.index("</figure>")]
    ids = re.findall(r'href="#run-([0-9a-f]{32})"', figure[figure.index("<h4>pruned</h4>") :])
    assert len(ids) == 3 and all(text.count(f'id="run-{run}"') == 1 for run in ids)
    assert text.count("perceptrons:LeNet") == 3 and "All runs behind the figures." in text
    monkeypatch.setattr(report, "RECORDS", 2)
    short = report.write(study, results, tmp_path / "short", **arguments).page.read_text()
    assert short.count("perceptrons:LeNet") == 2 and "The first 2 runs of 3" in short
    assert set(re.findall(r'href="#(run-\w+)"', short)) == set(re.findall(r'id="(run-\w+)"', short))


def test_a_study_of_nothing_still_has_a_report(study, results, tmp_path):
    empty = replace(study, figures=(), claims=(), notes=(), paper="", scale="")
    text = report.write(empty, results, tmp_path).page.read_text()
    assert "makes no claims" in text
    assert "no run failed" in text


def test_caution_lists_every_number_of_replicates_once(study, results):
    assert study.rule.caution(judge_all(study.claims, results)).count("%") == 1
    assert study.rule.caution(()) == ""


def test_what_stands_over_a_verdict_is_the_rule_of_its_paper_and_a_study_without_one_has_intervals_only(
    study, results, tmp_path
):
    names = {"OneStandardDeviation": "Jin et al.", "CorrelationBelow5Percent": "Bartoldson et al."}
    for rule in (OneStandardDeviation(), CorrelationBelow5Percent(), None):
        page = report.write(replace(study, rule=rule), results, tmp_path).page
        summary = json.loads((tmp_path / "summary.json").read_text())
        outcomes = {claim["by_paper"] for claim in summary["claims"] if claim["by_interval"] == "reproduced"}
        for other, who in names.items():
            assert (f"({who})" in page.read_text()) == (type(rule).__name__ == other)
            assert (f"({who})" in (tmp_path / "README.md").read_text()) == (type(rule).__name__ == other)
        expected = {"OneStandardDeviation": {"reproduced"}, "CorrelationBelow5Percent": {"no such rule"}}
        assert outcomes == expected.get(type(rule).__name__, {None})
        assert summary["rule"] == (rule and rule.name)


def test_a_text_that_is_no_utf_8_is_written_as_far_as_it_can_be(study, results, arguments, tmp_path):
    page = report.write(replace(study, question="caf\udce9?"), results, tmp_path, **arguments).page
    assert all("caf\\udce9?" in (page.parent / name).read_text() for name in ("index.html", "README.md"))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_over_the_edge_of_the_screen(page, tmp_path, width):
    """A frame of the given width: a browser window itself cannot be narrower than 500 pixels."""
    opened = page.read_text().replace("<details>", "<details open>")
    frame = tmp_path / "frame.html"
    frame.write_text(
        '<!doctype html><meta charset="utf-8"><title>none</title>'
        f'<iframe width="{width}" height="900" style="border:0" srcdoc="{html.escape(opened)}"></iframe>'
        "<script>onload = () => { const root = frames[0].document.documentElement;"
        "document.title = `${root.scrollWidth} of ${root.clientWidth}` }</script>"
    )
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", profile]
    done = subprocess.run(
        [*command, "--dump-dom", frame.as_uri()], capture_output=True, check=True, text=True, timeout=60
    )
    scroll, client = re.findall(r"<title>(\d+) of (\d+)</title>", done.stdout)[0]
    assert int(client) == width
    assert int(scroll) <= int(client)


def test_in_a_notebook_a_study_and_its_report_draw_themselves(study, results, arguments, tmp_path):
    written = report.write(study, results, tmp_path, **arguments)
    assert repr(written) == f"{written.sentence}\nreport: {written.page}"
    frame = written._repr_html_()
    assert frame.startswith('<iframe srcdoc="') and frame.count('"') == 4  # the page is escaped
    drawn = study._repr_html_()
    assert all(claim.name in drawn for claim in study.claims) and "weights remaining &lt;b&gt;" in drawn
