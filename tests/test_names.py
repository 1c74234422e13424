"""Any text, any object, is a name: of models, attacks, classes, groups, features."""

import io
import json
import sys
from dataclasses import replace
from decimal import Decimal
from html import unescape

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_aeppt import EqualizedClassifier, PrecomputedClassifier
from sklearn_aeppt.__main__ import main
from sklearn_aeppt._groups import as_labels, find_groups
from sklearn_aeppt._text import (
    as_text,
    distinct_names,
    group_name,
    picture_name,
    shown_name,
    to_json,
)
from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
from sklearn_aeppt.audit import audit
from sklearn_aeppt.displays import (
    ClassCdfDisplay,
    MembershipRocDisplay,
    PerturbationDisplay,
    TradeoffDisplay,
)
from sklearn_aeppt.metrics import per_class_report

plt = pytest.importorskip("matplotlib.pyplot")

NAMES = [
    r"model_$\frac{1$",
    "$",
    "$a$ and $b$",
    r"\$",
    "模型",
    "مرحبا \u200f",
    "\u202eoverridden",
    "a\0b\0",
    "\ud800 alone",
    "\x1b[2J\n- All is well.\r\t\x7f\x85\u2028",
    "👩\u200d🔬 e\u0301 \uffff",
    "_hidden",
    "</script></title><img src=x onerror='alert(1)'>\"&",
    "{name} %s %(x)s",
    "",
    " ",
    "W" * 10_000,
    "模" * 10_000,
    ("a", 1),
    3,
    2.5,
    None,
    b"\xff",
]


@pytest.fixture(autouse=True)
def close_figures():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def sides(overfit):
    model, X, y, m = overfit
    return model, X[m], y[m], X[~m], y[~m]


def draw(figure):
    """Lay a figure out: a warning (a missing glyph, a layout that collapsed) is an error."""
    figure.draw_without_rendering()
    plt.close(figure)


def strict_json(text):
    """Read JSON as other parsers do: text is UTF-8, NaN is no number, a key stands once."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    def once(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    data = json.loads(text.encode(), parse_constant=refuse, object_pairs_hook=once)
    json.dumps(data, ensure_ascii=False).encode()  # no lone surrogate inside an escape
    return data


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:12])
def test_every_form_of_a_report(sides, tmp_path, name):
    model, *records = sides
    group = [name] * 150 + ["other"] * 150
    report = audit(
        model, *records, {name: ThresholdAttack(), "gap": GapAttack()},
        random_state=0, name=name, slices={name: (group, group)},
    )  # fmt: skip
    full = type(model).__name__ if name is None else as_text(name)
    assert report.name == full
    text = str(report)
    assert shown_name(full) in text
    assert len(text.splitlines()) == len(str(replace(report, name="x")).splitlines())
    assert not set(text) & set("\0\x1b\r\x85\u2028\u202e")
    text.encode()
    data = strict_json(report.to_json(tmp_path / "r.json"))
    assert data["name"] == full
    assert {row["attack"] for row in data["results"]} == {as_text(name), "gap"}
    assert as_text(name) in data["slices"]
    assert set(report.to_frame()["attack"]) == {as_text(name), "gap"}
    page = report.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert shown_name(full) in unescape(page) and "<img src=x" not in page
    assert page.count("</title>") == 1 and page.count("<svg") == page.count("</svg>") == 3
    draw(report.plot().figure)


def test_names_that_were_not_given_through_audit(sides, tmp_path):
    """A report that is made or changed by hand holds whatever it holds."""
    model, *records = sides
    report = audit(model, *records, "quick", random_state=0)
    for name in NAMES[::2]:
        changed = replace(
            report, name=name, results=[{**row, "attack": name} for row in report.results],
            strongest={**report.strongest, "attack": name},
        )  # fmt: skip
        strict_json(changed.to_json())
        changed.to_frame()
        changed.to_html(tmp_path / "r.html")
        str(changed).encode()


def test_every_form_of_a_comparison(sides, tmp_path):
    model, *records = sides
    equalized = EqualizedClassifier(model, random_state=0)
    equalized.fit(records[0], records[2], y_mem=records[1], y_non=records[3])
    targets = {name: equalized if i % 2 else model for i, name in enumerate(NAMES)}
    targets["3"] = model  # reads like the number
    comparison = audit(targets, *records, {"$": ThresholdAttack()}, random_state=0)
    assert set(comparison.reports) == set(targets)
    str(comparison).encode()
    assert len(str(comparison).splitlines()) == 2 * len(targets) + 2
    data = strict_json(comparison.to_json(tmp_path / "c.json"))
    assert list(data["reports"]) == list(data["size"]) == distinct_names(targets)
    assert list(comparison.to_frame()["target"]) == [as_text(name) for name in targets]
    page = comparison.to_html(tmp_path / "c.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    for name in targets:
        assert shown_name(name) in unescape(page)
    draw(comparison.plot().figure)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:12])
def test_every_display(name):
    rng = np.random.default_rng(0)
    y, score = np.arange(40) < 20, rng.random(40)
    roc = MembershipRocDisplay.from_predictions(y, score, name=name)
    tradeoff = TradeoffDisplay.from_predictions([0, 1], [0.7, 0.6], 0.6, name=name)
    legend = tradeoff.ax_.get_legend().get_texts()
    if name is not None:  # no name: no entry, and for a single ROC no legend
        assert picture_name(name, 36) in [entry.get_text() for entry in legend]
        assert len(roc.ax_.get_legend().get_texts()) == len(legend) == 2
    draw(roc.figure_)
    draw(tradeoff.figure_)
    groups = [name] * 20 + ["other"] * 20
    cdf = ClassCdfDisplay.from_predictions(score, groups, np.arange(40) % 2, classes=[name])
    assert cdf.axes_[0].get_xlabel().endswith(f", class {picture_name(group_name(name), 24)}")
    draw(cdf.figure_)
    draw(ClassCdfDisplay.from_predictions(score, groups, np.arange(40) % 2).figure_)
    p = np.array([[0.9, 0.1]])
    display = PerturbationDisplay.from_predictions(p, p, classes=[name, "other"])
    assert display.ax_.get_xticklabels()[0].get_text() == picture_name(name, 20)
    draw(display.figure_)


def test_pictures_draw_names_literally():
    _, ax = plt.subplots()
    ax.set(xlabel=picture_name("\ud800\0模\uffff"))
    drawn = ax.set_title(picture_name(r"$x_1$ \$"))
    for kind in ("svg", "pdf", "ps"):
        ax.figure.savefig(io.BytesIO(), format=kind)
    assert drawn._preprocess_math(drawn.get_text()) == (r"$x_1$ \$", False)
    assert picture_name("模") == r"\u6a21" and picture_name("_a").strip() == "_a"
    assert len(picture_name("x" * 10_000)) == 40 > len(picture_name("W" * 10_000))


def test_the_group_of_missing_values_has_a_name():
    """Shown as such, and none of the groups that are called so."""
    score, member = np.linspace(0, 1, 40), np.arange(40) % 2
    groups = np.array([None, np.nan, "missing", "b"] * 10, dtype=object)
    display = ClassCdfDisplay.from_predictions(score, groups, member)
    shown = [ax.get_xlabel() for ax in display.figure_.axes]
    assert sum("missing" in label for label in shown) == 2
    assert not any("None" in label or "nan" in label for label in shown)


def test_groups_of_any_labels():
    """The report of a group is that of its rows, whatever the group is called."""
    names = [*(name for name in NAMES if not pd.isna(name)), "a\0b", "3", None]
    rng = np.random.default_rng(0)
    code = np.repeat(np.arange(len(names)), 8)
    member, said = np.arange(len(code)) % 2 == 0, rng.random(len(code)) < 0.5
    report = per_class_report([names[c] for c in code], member, said, y_score=rng.random(len(code)))
    assert len(pd.DataFrame(report)) == len(names)
    plain = per_class_report(code, member, said)
    key = lambda label: (type(label), as_text(label))  # noqa: E731
    at = {key(as_text(name) if isinstance(name, str) else name): i for i, name in enumerate(names)}
    order = [at[key(label)] for label in report["class"]]
    assert sorted(order) == list(range(len(names)))
    np.testing.assert_array_equal(report["accuracy"], plain["accuracy"][order])
    lacking = [np.nan, None, np.float32("nan"), pd.NA, pd.NaT, Decimal("NaN"), Decimal("sNaN")]
    found, place = find_groups(np.array([*lacking, "a", "missing"], dtype=object))
    assert found.tolist() == ["a", "missing", None] and place.tolist() == [2] * 7 + [0, 1]
    found, place = find_groups(np.array([1.5, np.nan]))
    assert found.tolist() == [1.5, None] and place.tolist() == [0, 1]


def test_labels_keep_their_order_and_kind():
    assert as_labels([3, 1.5, True]).dtype == float
    assert as_labels(["a", "b"]).dtype.kind == "U"
    assert as_labels([("a", 1), ("b", 2)]).tolist() == [("a", 1), ("b", 2)]
    assert as_labels([1, "1"]).tolist() == [1, "1"]
    assert as_labels(["a", "a\0"]).tolist() == ["a", "a\0"]
    found, place = find_groups(as_labels(["b", None, "a", "b"]))
    assert found.tolist() == ["a", "b", None] and place.tolist() == [1, 2, 0, 1]
    with pytest.raises(ValueError, match="1d"):
        as_labels([[1, 2], [3, 4]])


def test_slices_of_two_kinds_stay_apart(sides):
    model, *records = sides
    numbers, words = [1] * 300, ["1"] * 300
    report = audit(model, *records, "quick", random_state=0, slices={"kind": (numbers, words)})
    assert report.slices["kind"]["class"].tolist() == [1, "1"]
    kind = strict_json(report.to_json())["slices"]["kind"]
    assert kind["accuracy"] == [None, None]  # NaN: a group without members, one without others


def test_features_and_classes_of_any_name(tmp_path):
    rng = np.random.default_rng(0)
    names = [as_text(name) for name in NAMES]
    X = pd.DataFrame(rng.normal(size=(400, len(names))), columns=names)
    classes = np.array(["$", "</script>", "_x\ud800", "W" * 10_000])
    y = classes[rng.integers(4, size=400)]
    model = LogisticRegression().fit(X[:200], y[:200])
    equalized = EqualizedClassifier(model, random_state=0)
    equalized.fit(X[:200], X[200:], y_mem=y[:200], y_non=y[200:])
    report = audit(equalized, X[:200], y[:200], X[200:], y[200:], "standard", random_state=0)
    strict_json(report.to_json())
    assert "<script" not in report.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    draw(PerturbationDisplay.from_estimator(equalized, X).figure_)


def test_json_of_what_it_does_not_know():
    data = strict_json(to_json({
        None: np.float32(np.inf), "None": np.arange(2), ("a", 1): {1, }, "t": np.datetime64("2020"),
        "s": "\ud800", "n": float("nan"), "i": 10**400, "b": np.bool_(True),
    }))  # fmt: skip
    assert data == {
        "None": None, "None (2)": [0, 1], "('a', 1)": "{1}", "t": "2020-01-01",
        "s": "\\ud800", "n": None, "i": 10**400, "b": True,
    }  # fmt: skip


@pytest.mark.parametrize("family", [["no such font", "DejaVu Sans"], "no such font", "monospace"])
def test_fonts_that_are_not_installed(family):
    with plt.rc_context({"font.family": family}):
        figure, ax = plt.subplots()
        ax.set_title(picture_name("模型 _$ é"))
        draw(figure)


def test_terminal_that_lacks_a_character(tmp_path, monkeypatch):
    skops = pytest.importorskip("skops.io")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(80, 2)), columns=["$", "模"]).assign(
        label=rng.integers(2, size=80)
    )
    model = LogisticRegression().fit(table[["$", "模"]][:40], table["label"][:40])
    skops.dump(model, tmp_path / "模型_$.skops")
    table[:40].to_csv(tmp_path / "members.csv", index=False)
    table[40:].to_csv(tmp_path / "others.csv", index=False)
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    given = ["--model", tmp_path / "模型_$.skops", "--members", tmp_path / "members.csv"]
    given += ["--non-members", tmp_path / "others.csv", "--attacks", "quick"]
    assert main(["audit", *map(str, given)]) == 0
    shown.flush()
    assert rb"\u6a21\u578b_$.skops: " in shown.buffer.getvalue()


def test_numbered_columns_are_in_order_of_the_classes():
    shown = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    model = PrecomputedClassifier([2, 1, 0])
    assert model.predict(pd.DataFrame(shown)).tolist() == model.predict(shown).tolist() == [2, 0]
    assert model.predict(pd.DataFrame(shown, columns=[2, 1, 0])).tolist() == [2, 0]
    assert model.predict(pd.DataFrame(shown, columns=list("012"))).tolist() == [0, 2]
    with pytest.raises(ValueError, match="may be the classes, or count the columns"):
        model.predict(pd.DataFrame(shown, columns=pd.Index([0, 1, 2])))
