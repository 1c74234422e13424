"""Other forms of a report: Markdown, tables, model cards, and what SACRO-ML reads and writes."""

import csv
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt.__main__ import main
from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
from sklearn_aeppt.audit import AuditComparison, AuditReport, audit
from sklearn_aeppt.audit._tables import to_csv


@pytest.fixture(scope="module")
def game():
    rng, n = np.random.default_rng(0), 300
    X, y = rng.normal(size=(2 * n, 6)), rng.integers(3, size=2 * n)
    model = RandomForestClassifier(20, random_state=0).fit(X[:n], y[:n])
    return model, X[:n], y[:n], X[n:], y[n:]


@pytest.fixture(scope="module")
def report(game):
    return audit(*game, "quick", random_state=0, context={"auditor": "A|B"})


@pytest.fixture
def file(report, tmp_path):
    report.to_json(tmp_path / "r.json")
    return str(tmp_path / "r.json")


def table_of(markdown):
    return [line for line in markdown.splitlines() if line.startswith("| ")]


def test_markdown_has_the_outcome_and_every_attack(report, file, tmp_path, capsys):
    text = report.to_markdown()
    assert text.startswith("## Membership inference audit: RandomForestClassifier")
    assert f"**{report.headline}**" in text.replace("\\", "")
    lines = table_of(text)
    assert len(lines) == 2 + len(report.results) and len({ln.count("|") for ln in lines}) == 1
    assert "auditor: A\\|B" in text
    assert main(["report", file, "--form", "markdown"]) == 0
    assert capsys.readouterr().out == text + "\n"
    assert main(["report", file, "--out", str(tmp_path / "s.md")]) == 0
    assert (tmp_path / "s.md").read_text() == text + "\n"


def test_a_model_card_says_what_was_not_tested(report, file, tmp_path):
    card = report.to_model_card()
    assert card.startswith("## Privacy: membership inference")
    assert "### What was not tested" in card and "Attribute inference" in card
    assert main(["report", file, "--form", "card", "--out", str(tmp_path / "c.md")]) == 0
    assert (tmp_path / "c.md").read_text() == card + "\n"


def test_a_section_goes_into_a_card_of_skops(game, report, tmp_path):
    skops_card = pytest.importorskip("skops.card")
    card = skops_card.Card(game[0])
    card.add(**{"Privacy": report.to_model_card()})
    card.save(tmp_path / "README.md")
    assert report.headline in (tmp_path / "README.md").read_text().replace("\\", "")


def test_the_table_of_attacks(report, file, tmp_path, capsys):
    assert main(["report", file, "--out", str(tmp_path / "a.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [float(row["accuracy"]) for row in rows] == list(report.to_frame()["accuracy"])
    auc = {row["attack"]: row["auc"] for row in report.ran}
    assert {row["attack"]: float(row["auc"]) for row in rows} == auc
    both = AuditComparison({"a": report, "b": report}, {"a": 0.0, "b": 0.0})
    rows = list(csv.DictReader(both.to_csv(tmp_path / "b.csv").read_text().splitlines()))
    assert [row["target"] for row in rows] == ["a"] * 4 + ["b"] * 4
    both.to_json(tmp_path / "b.json")
    assert main(["report", str(tmp_path / "b.json"), "--form", "markdown"]) == 0
    assert "## Side by side" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "b.json"), "--form", "card"]) == 2
    assert "the report on one target" in capsys.readouterr().err


def test_a_cell_is_no_formula():
    rows = list(csv.reader(to_csv([{"a": "=1+1", "b": -0.5, "c": None, "d": "x\ny"}]).splitlines()))
    assert rows == [["a", "b", "c", "d"], ["'=1+1", "-0.5", "", "x\\ny"]]


@pytest.mark.parametrize("name", ["a|b", "`x`\n# h", "<script>", "模" * 300, "", "$x$"])
def test_names_are_shown_literally_in_markdown(report, name):
    rows = [{**row, "attack": name} for row in report.results]
    changed = replace(report, name=name, results=rows, context={name: name})
    for text in (changed.to_markdown(), changed.to_model_card()):
        lines = table_of(text)
        assert len({ln.replace("\\|", "").count("|") for ln in lines}) == 1
        assert "<script>" not in text.replace("\\<script\\>", "") and "\n# h" not in text
    both = AuditComparison({name: changed, "other": report}, {name: 0.0, "other": 0.1})
    assert "\n# h" not in both.to_markdown()


# ---- SACRO-ML


def test_the_readers_of_sacro_take_our_file(report, tmp_path):
    formatter = pytest.importorskip("sacroml.attacks.attack_report_formatter")
    path = tmp_path / "attack.json"
    path.write_text(report.to_sacro())
    reader = formatter.GenerateTextReport()
    reader.process_attack_target_json(str(path))
    reader.export_to_file(str(tmp_path / "summary.txt"))
    said = (tmp_path / "summary.txt").read_text()
    assert "AUC are statistically significant" in said and "Attack AUC > threshold of 0.65" in said
    data = json.loads(path.read_text())
    for module in (
        formatter.SummariseUnivariateMetricsModule(data),
        formatter.SummariseAUCPvalsModule(data),
        formatter.SummariseFDIFPvalsModule(data),
    ):
        assert module.process_dict()


def test_the_metrics_of_sacro_are_those_of_the_report(report, file, capsys):
    assert main(["report", file, "--form", "sacro"]) == 0
    (section,) = json.loads(capsys.readouterr().out).values()
    (one,) = section["attack_experiment_logger"]["attack_instance_logger"].values()
    assert one["AUC"] == report.strongest["auc"] and one["ACC"] == report.strongest["accuracy"]
    assert one["P_HIGHER_AUC"] < 1e-6 and one["PDIF01"] > 5 and 0 < one["FDIF01"] <= 1
    assert len(one["fpr"]) == len(one["tpr"]) and section["metadata"]["floor"] == report.floor


@pytest.fixture
def target(game, tmp_path):
    yaml = pytest.importorskip("yaml")
    model, X, y, X_non, y_non = game
    names = {"X_train": X, "y_train": y, "X_test": X_non, "y_test": y_non}
    told = {"dataset_name": "mine", "model_type": "SklearnModel", "model_path": "model.pkl",
            "dataset_module_path": ""}  # fmt: skip
    for name, value in {"model": model, **names}.items():
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(value))
        told[f"{name}_path"] = f"{name}.pkl"
    path = tmp_path / "target.yaml"

    def write(**changes):
        path.write_text(yaml.safe_dump({**told, **changes}))
        return ["audit", "--target-yaml", str(path), "--attacks", "quick", "--seed", "0"]

    return write


def test_a_target_of_sacro_is_audited(report, target, tmp_path):
    out = str(tmp_path / "out.json")
    assert main([*target(), "--trust", "--out", out]) == 0
    found = AuditReport.from_json(out)
    assert found.ran == report.ran
    assert found.provenance["hashes"]["model"]["of"] == "file"
    assert found.provenance["hashes"]["members"] == report.provenance["hashes"]["members"]


@pytest.mark.parametrize(
    "changes, options, said",
    [
        ({}, [], "add --trust"),
        ({"X_test_path": ""}, ["--trust"], "names no X_test_path"),
        ({"X_test_path": "../x.pkl"}, ["--trust"], "which is not in its own folder"),
        ({"model_path": None}, ["--trust"], "names no model_path"),
        ({"model_type": "PytorchModel"}, ["--trust"], "is of a PytorchModel"),
        ({"dataset_module_path": "d.py"}, ["--trust"], "module of its own"),
        ({}, ["--trust", "--members", "m.csv"], "leave out --members"),
    ],
)
def test_a_target_that_cannot_be_read_says_why(target, capsys, changes, options, said):
    assert main([*target(**changes), *options]) == 2
    assert said in capsys.readouterr().err


def test_records_are_needed_from_somewhere(capsys):
    assert main(["audit", "--model", "m.skops"]) == 2
    assert "required: --members, --non-members" in capsys.readouterr().err


def test_figures_of_an_attack_by_hand():
    y = np.arange(80) % 2
    shown = np.column_stack([np.r_[np.full(40, 0.9), np.full(40, 0.6)]] * 2)
    shown[:, 1] = 1 - shown[:, 0]
    from sklearn_aeppt import PrecomputedClassifier

    found = audit(
        PrecomputedClassifier([0, 1]), shown[:40], y[:40], shown[40:], y[40:],
        [GapAttack(), ThresholdAttack("entropy", per_class=False)], random_state=0,
    )  # fmt: skip
    one = json.loads(found.to_sacro()).popitem()[1]["attack_experiment_logger"]
    one = one["attack_instance_logger"]["instance_0"]
    assert one["AUC"] == 1 and one["FDIF01"] == 1 and one["ACC"] == 1
