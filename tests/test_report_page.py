"""The page of a report: made of its file alone, for readers who see it small, on paper, or not."""

import json
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt.__main__ import main
from sklearn_aeppt.audit import AuditComparison, AuditReport, audit
from sklearn_aeppt.audit._glossary import GLOSSARY
from sklearn_aeppt.audit._page_style import STYLE
from sklearn_aeppt.audit._svg import COLORS, GRAY


@pytest.fixture(scope="module")
def sides():
    rng, n = np.random.default_rng(0), 1000
    X, y = rng.normal(size=(2 * n, 8)), rng.integers(3, size=2 * n)
    model = RandomForestClassifier(20, random_state=0).fit(X[:n], y[:n])
    return model, X[:n], y[:n], X[n:], y[n:]


@pytest.fixture(scope="module")
def report(sides):
    model, X, y, X_non, y_non = sides
    defended = EqualizedClassifier(model, random_state=0).fit(X, X_non, y_mem=y, y_non=y_non)
    found = audit(
        defended, X, y, X_non, y_non, "standard", random_state=0, fitted_on=X,
        context={"auditor": "A. Person"}, slices={"site": (y > 1, y_non > 1)},
    )  # fmt: skip
    rule = {
        "rule": "excess", "where": None, "limit": 0.02, "value": 0.0137, "low": -0.01,
        "high": 0.04, "outcome": "pass", "reason": "waived <until> 2027",
    }  # fmt: skip
    return replace(found, policy={"name": "strict", "outcome": "pass", "rules": [rule]})


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    return report.to_html(tmp_path_factory.mktemp("page") / "r.html").read_text("utf-8")


def test_the_page_is_made_of_the_file_alone(report, page, tmp_path):
    back = AuditReport.from_json(report.to_json())
    assert back.to_html(tmp_path / "again.html").read_text("utf-8") == page
    asked = report.to_html(tmp_path / "who.html", records=True).read_text("utf-8")
    back = AuditReport.from_json(report.to_json(records=True))
    assert back.to_html(tmp_path / "again.html", records=True).read_text("utf-8") == asked
    both = AuditComparison({"a": report, "b": back}, {"a": 0.0, "b": 0.1})
    first = both.to_html(tmp_path / "both.html").read_text("utf-8")
    again = AuditComparison.from_json(both.to_json())
    assert again.to_html(tmp_path / "again.html").read_text("utf-8") == first
    assert first.count("<svg") == 7 and first.count("<article>") == 2


def test_the_command_makes_the_page_of_the_file(report, page, tmp_path, capsys):
    report.to_json(tmp_path / "r.json")
    assert main(["report", str(tmp_path / "r.json"), "--out", str(tmp_path / "r.html")]) == 0
    assert (tmp_path / "r.html").read_text("utf-8") == page
    assert main(["report", str(tmp_path / "r.json"), "--out", str(tmp_path / "r.json")]) == 2
    assert "would be lost" in capsys.readouterr().err


NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def numbers_in(value):
    """Yield every number of a file, and those in its texts."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers_in(key)
            yield from numbers_in(inner)
    elif isinstance(value, list):
        yield len(value)  # "30 groups"
        for inner in value:
            yield from numbers_in(inner)
    elif isinstance(value, str):
        yield from (float(found.replace(",", "")) for found in NUMBER.findall(value))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def test_every_figure_of_the_page_is_in_the_file(report, page):
    known = np.array(list(numbers_in(json.loads(report.to_json()))), dtype=float)
    known = np.unique(np.concatenate([known, 100 * known]))
    # what no report changes: "95 % interval", "SHA-256", ticks, words of the glossary
    fixed = {0, 1, 5, 0.1, 0.01, 10, 99, 50, 95, 100, 256, *range(0, 110, 10)}
    for text in GLOSSARY.values():
        fixed |= {float(found.replace(",", "")) for found in NUMBER.findall(text)}
    text = unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))
    found = NUMBER.findall(re.sub(r"\b[0-9a-f]{32,}\b", " ", text))  # hashes are no figures
    assert len(found) > 300
    unknown = []
    for one in found:
        digits = len(one.partition(".")[2]) if "e" not in one else 12
        value = float(one.replace(",", ""))
        near = np.abs(known - value) <= 0.5 * 10.0**-digits + 1e-9
        if not near.any() and value not in fixed:
            unknown.append(one)
    assert not unknown
    changed = page.replace(f"{report.floor:.1%}", "61.7%")
    assert changed != page  # such a figure is among those looked at


class Outline(HTMLParser):
    """What a reader meets who hears the page."""

    def __init__(self):
        super().__init__()
        self.open, self.tables, self.headings, self.pictures, self.links = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "table":
            self.tables.append([])
        if self.tables and tag in ("caption", "th", "td"):
            self.tables[-1].append((tag, attributes))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "svg":
            self.pictures.append(attributes)
        self.links += [attributes[key] for key in ("src", "href", "action") if key in attributes]


def test_who_does_not_see_the_page_can_read_it(page):
    outline = Outline()
    outline.feed(page)
    for cells in outline.tables:
        assert cells[0][0] == "caption"
        assert all(attributes.get("scope") for tag, attributes in cells if tag == "th")
        assert all("data-label" in a or "colspan" in a for tag, a in cells if tag == "td")
    assert len(outline.tables) >= 7
    steps = np.diff(outline.headings)
    assert outline.headings[0] == 1 and steps.max() <= 1  # no level is left out
    assert len(outline.pictures) == 3
    assert all(p["role"] == "img" and len(p["aria-label"]) > 20 for p in outline.pictures)
    assert page.startswith("<!doctype html><html lang=en>") and "<meta name=viewport" in page


def test_the_page_asks_no_one(page):
    outline = Outline()
    outline.feed(page)
    assert outline.links == [] and not re.search(r"https?:|url\(|@import|<script", page)


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], parts))


def contrast(one, other):
    light, dark = sorted(map(luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_enough():
    """WCAG AA: 4.5 to 1."""
    texts = set(re.findall(r"[ {;]color: (#[0-9a-f]{6})", STYLE)) | {*COLORS, GRAY}
    grounds = {"#ffffff", *re.findall(r"\.todo \{ background: (#[0-9a-f]{6})", STYLE)}
    assert len(texts) >= 6 and len(grounds) == 2
    assert all(contrast(text, ground) >= 4.5 for text in texts for ground in grounds)
    words = re.findall(r"\.word \{ background: (#[0-9a-f]{6})", STYLE)
    assert len(words) == 5 and all(contrast("#ffffff", ground) >= 4.5 for ground in words)


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"low": 0.9, "high": 0.95}, "LEAKS"),
        ({"low": 0.51, "high": 0.53}, "LABELS LEAK"),
        ({"low": 0.4, "high": 0.53}, "UNDECIDED"),
        ({"low": 0.4, "high": 0.51}, "NO LEAK FOUND"),
    ],
)
def test_the_verdict_is_a_word_and_a_color(report, tmp_path, changes, word):
    rows = [{**row, "tpr_at_0.01_fpr": None} for row in report.ran]
    changed = replace(report, strongest={**report.strongest, **changes}, results=rows, floor=0.6)
    html = changed.to_html(tmp_path / "r.html").read_text("utf-8")
    shown = re.search(r"<div class='verdict (\w+)'><p class=line><span class=word>([^<]+)", html)
    assert shown[1] == changed.leakage and shown[2] == word
    assert f".{shown[1]} .word" in STYLE
    void = replace(changed, checks={**report.checks, "blind": {**report.checks["blind"],
                   "differs": True, "columns": ["site"]}})  # fmt: skip
    html = void.to_html(tmp_path / "r.html").read_text("utf-8")
    assert "verdict void'><p class=line><span class=word>VOID" in html


def test_advice_is_in_the_callers_own_terms(report):
    made = {**report.provenance["made"], "with": "command line"}
    strongest = {**report.strongest, "low": 0.9, "high": 0.95}
    python = replace(report, strongest=strongest)
    command = replace(python, provenance={**report.provenance, "made": made})
    assert "EqualizedClassifier(model).fit" in " ".join(python.advice)
    assert 'attacks="full"' in " ".join(python.advice)
    assert "sklearn-aeppt protect" in " ".join(command.advice)
    assert "--attacks full" in " ".join(command.advice)


def test_what_the_defense_costs_and_what_the_policy_says_are_on_the_page(report, page):
    assert "What the defense costs" in page and "calibration error" in page
    loss = report.utility["non_members"]["defended"]["log_loss"]
    assert f"{loss:.3f}" in page and "waived &lt;until&gt; 2027" in page
    assert "Attribute inference" in page and report.provenance["hashes"]["model"]["sha256"] in page
