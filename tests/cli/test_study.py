"""plan, run and report, on a study in a file."""

import json

from prunescope.runs.store.store import Store


def test_plan_run_report(command, study, store, tmp_path) -> None:
    planned = command("plan", study, "--workers", 2)
    assert planned.exit_code == 0, planned.output
    assert not list(Store(store).run_ids())
    assert "run: LeNet, from scratch" in planned.output
    assert "run: LeNet, continued, Prune" in planned.output
    assert "reading: Risk on test" in planned.output
    assert "trace: Curve on test" in planned.output
    assert "with 2 workers on cpu" in planned.output

    done = command("run", study, "--workers", 1)
    assert done.exit_code == 0, done.output
    page = tmp_path / "prunescope-reports" / "tiny" / "index.html"
    assert str(page) in done.output
    assert "Pruning lowers the error." in done.output
    assert "Of 1 claim" in done.output
    assert len(list(Store(store).run_ids())) == 6
    assert "Nothing is left to do" in command("plan", study).output
    told = json.loads(command("plan", study, "--json").output)
    assert told["price"] is None and told["kinds"]["run: LeNet, from scratch"]["to do"] == 0

    html = page.read_text()
    run = next(iter(Store(store).run_ids()))
    assert f"prunescope run {study} --scale smoke" in html
    assert "seconds of work" in html
    assert any(run in html for run in Store(store).run_ids())
    assert "peak_memory_mb" in html  # the lineage of a curve

    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    again = command("report", study)
    assert again.exit_code == 0
    assert before == {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    assert run


def test_settings_and_scale_reach_the_study(command, study, tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("levels: 0\nlr: 0.05\n")
    words = (study, "--scale", "paper", "--settings", "mine.yaml", "-s", "replicates=1", "--workers", 1)
    result = command("run", *words, "--out", "here")
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "here" / "summary.json").read_text())
    settings = summary["settings"]
    assert (settings["levels"], settings["lr"], settings["replicates"]) == (0, 0.05, 1)


def test_reports_of_other_settings_have_folders_of_their_own(command, study, tmp_path) -> None:
    for words in ((), ("-s", "lr=0.05"), ("-s", "lr=0.2")):
        assert command("run", study, "-s", "levels=0", *words, "--workers", 1).exit_code == 0
    pages = list((tmp_path / "prunescope-reports").glob("*/summary.json"))
    assert sorted(json.loads(page.read_text())["settings"]["lr"] for page in pages) == [0.05, 0.1, 0.2]


def test_report_says_what_was_not_run(command, study, tmp_path) -> None:
    assert command("run", study, "-s", "levels=0", "-s", "replicates=1", "--workers", 1).exit_code == 0
    result = command("report", study, "--out", "partial")
    assert result.exit_code == 0, result.output
    claim = json.loads((tmp_path / "partial" / "summary.json").read_text())["claims"][0]
    assert (claim["by_paper"], claim["by_interval"]) == (None, "not run")  # the study names no rule of a paper
    assert "not run" in result.output
    one = command("run", study, "-s", "replicates=1", "--workers", 1)
    assert "1 of at least 2 replicates" in " ".join(one.output.replace("│", " ").split())


def test_run_pins_what_it_needs(command, study, store) -> None:
    assert command("run", study, "--workers", 1).exit_code == 0
    (name,) = Store(store).pins()
    assert name.startswith("tiny.")
    assert set(Store(store).run_ids()) <= set(Store(store).pins()[name])
    command("run", study, "-s", "lr=0.2", "--workers", 1)
    assert len(Store(store).pins()) == 2  # other settings do not let go of the first


def test_failed_runs_are_told_and_reported(command, study, tmp_path) -> None:
    words = ("run", study, "-s", "lr=1e30", "--workers", 1)
    result = command(*words)
    assert result.exit_code == 1
    assert "2 runs failed" in result.output
    (page,) = (tmp_path / "prunescope-reports").glob("tiny-*/index.html")  # a folder of its own, by the settings
    assert "failed" in page.read_text()
    planned = command("plan", study, "-s", "lr=1e30")
    assert "will not be tried" in planned.output
    assert "Nothing is left to do" in planned.output
    assert command(*words).exit_code == 1


def test_stages_that_depend_on_results_are_said_to_be_bounds(command, study) -> None:
    from pathlib import Path

    path = Path(study)
    text = path.read_text()
    path.write_text(
        text.replace(
            "    rows = [",
            "    from prunescope.runs.graph.nodes import Chosen\n"
            "    best = Chosen(among=tuple(pruned[0]), inputs=errors['pruned'][0].nodes, rule='builtins:len')\n"
            "    gain = column([Reading(measure=Risk(split='train'), state=final(best))], 'error')\n"
            "    claim = Claim('best', 'The best is good.', gain, Direction('less'))\n"
            "    rows = [",
            1,
        )
    )
    result = command("plan", study)
    assert result.exit_code == 0, result.output
    assert "1 of these depend on results" in result.output


def test_show_lists_every_setting_with_its_values_and_meaning(command, study, tmp_path) -> None:
    path = tmp_path / "documented.py"
    text = (tmp_path / study).read_text()
    doc = '"""Of a tiny study.\n\n    fraction: share that goes\n        at each level.\n    """\n\n    fraction'
    path.write_text(text.replace("fraction", doc, 1))
    shown = command("show", str(path))
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.output.splitlines() if line.strip()]
    assert lines[0] == ["setting", "smoke", "paper", "what", "it", "is"]
    assert ["replicates", "2", "3"] in lines and ["noise", "[0.0]", "[0.0]"] in lines
    assert "pruning.fraction 0.2 0.2 share that goes at each level." in [" ".join(line) for line in lines]
    assert ["pruning.kind", "Pruning", "Pruning"] in lines
    name, value = "pruning.fraction", lines[[line[0] for line in lines].index("pruning.fraction")][1]
    assert command("plan", str(path), "-s", f"{name}={value}").exit_code == 0, "what is shown can be typed"


def test_show_has_numbers_where_a_benchmark_has_its_own(command) -> None:
    shown = [line.split() for line in command("show", "jin2022/column").output.splitlines()]
    assert ["levels", "2", "24", "24"] in [line[:4] for line in shown]
    assert ["batch", "standard", "standard", "standard"] in [line[:4] for line in shown]


def test_a_scale_that_nobody_named_is_announced(command, study) -> None:
    for verb in ("plan", "run"):
        assert (
            "at scale smoke (--scale paper for another)"
            in command(verb, study, "-s", "levels=0", "--workers", 1).output
        )
        assert "at scale" not in command(verb, study, "--scale", "smoke", "-s", "levels=0", "--workers", 1).output


def test_a_study_without_a_paper_has_no_papers_rule(command, study, tmp_path) -> None:
    done = command("run", study, "-s", "levels=0", "--workers", 1)
    pages = [
        path.read_text() for path in (tmp_path / "prunescope-reports").rglob("*") if path.suffix in (".md", ".html")
    ]
    assert len(pages) == 2
    for text in (done.output, *pages):
        assert "paper’s rule" not in text.lower() and "paper's rule" not in text.lower()
        assert "(proposed: )" not in text and "proposed: |" not in text
    assert not any("rule of one standard deviation" in text.lower() for text in pages)
