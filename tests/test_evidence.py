"""What stands around the figures of an audit: checks before it, persons, accusations."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from sklearn_aeppt.__main__ import main
from sklearn_aeppt._precomputed import PrecomputedClassifier
from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
from sklearn_aeppt.audit import audit
from sklearn_aeppt.audit._before import before
from sklearn_aeppt.audit._exposed import exposure, from_one_run
from sklearn_aeppt.audit._features import records_as_numbers
from sklearn_aeppt.audit._units import Persons, Records, split_halves
from sklearn_aeppt.metrics import clopper_pearson
from sklearn_aeppt.metrics._accusations import accused_at

QUICK = [GapAttack(), ThresholdAttack("loss")]


def looked_at(X, is_member, y=None, seed=0):
    y = np.zeros(len(is_member), dtype=int) if y is None else y
    return before(X, y, Records(is_member, split_halves(is_member, None, seed)), seed)


def half(n, seed=0):
    return np.random.default_rng(seed).permutation(2 * n) < n


# ---- the blind baseline


def test_a_fair_split_is_not_called_out():
    """At 1 %: of 15 seeds, one alarm or none (more in 1 of 100 such tests)."""
    alarms = 0
    for seed in range(15):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(400, 8)), rng.integers(3, size=400)
        alarms += looked_at(X, half(200, seed), y, seed)["blind"]["differs"]
    assert alarms <= 1


@pytest.mark.parametrize("columns, shift", [(1, 0.6), (4, 0.35)])
def test_a_shift_is_called_out_and_its_columns_are_named(columns, shift):
    found = 0
    for seed in range(5):
        X, m = np.random.default_rng(seed).normal(size=(800, 8)), half(400, seed)
        X[m, :columns] += shift
        blind = looked_at(X, m, seed=seed)["blind"]
        found += blind["differs"]
        assert not blind["differs"] or blind["columns"][0] in [
            f"column {i}" for i in range(columns)
        ]
    assert found == 5


def kinds(seed, shifted):
    """The same shift in records of every kind."""
    rng, m = np.random.default_rng(seed), half(300, seed)
    bits = (rng.random((600, 30)) < 0.3).astype(float)
    if shifted:
        bits[m, :6] = rng.random((300, 6)) < 0.6
    words = [" ".join(f"word{j}" for j in np.flatnonzero(row)) for row in bits]
    frame = pd.DataFrame(bits[:, :3], columns=["a", "b", "c"])
    frame["d"] = np.where(bits[:, 3] > 0, "yes", "no")
    frame.loc[::50, "a"] = np.nan
    missing = rng.normal(size=(600, 3))
    missing[rng.random((600, 3)) < np.where(m & shifted, 0.4, 0.1)[:, None]] = np.nan
    return m, {
        "array": bits,
        "sparse": sparse.csr_array(bits),
        "images": bits.reshape(600, 5, 6),
        "texts": words,
        "array of texts": np.array(words, dtype=object),
        "mixed frame": frame,
        "categories": frame[["d"]].astype("category").assign(e=frame["d"]),
        "missing": missing,
    }


@pytest.mark.parametrize("kind", list(kinds(0, False)[1]))
def test_every_kind_of_record_is_looked_at(kind):
    for shifted in (True, False):
        m, tables = kinds(3, shifted)
        assert looked_at(tables[kind], m)["blind"]["differs"] == shifted


def test_labels_of_another_distribution_are_called_out():
    rng, m = np.random.default_rng(0), half(300)
    y = np.where(m & (rng.random(600) < 0.4), "a", rng.choice(["a", "b"], size=600))
    blind = looked_at(rng.normal(size=(600, 2)), m, y)["blind"]
    assert blind["differs"] and blind["columns"][0] in ("label a", "label b")


def test_what_cannot_be_read_is_said_and_not_guessed():
    m = half(20)
    assert "neither numbers nor texts" in looked_at([(1, "a"), ("b",)] * 20, m)["blind"]["not_run"]
    numbers, names = records_as_numbers(np.array([[1.0, np.inf], [np.nan, -np.inf]]))
    assert np.isfinite(numbers).all() and names == ["column 0", "column 1", "column 0 (missing)"]


def test_the_targets_own_encoding_is_not_used():
    """A vocabulary that was fitted on members has words that no other text has."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.zipf(1.5, size=12)) for _ in range(600)]
    y, m = rng.integers(2, size=600), half(300)
    member = [t for t, one in zip(texts, m) if one]
    other = [t for t, one in zip(texts, m) if not one]
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(member, y[m])
    encoded = pipe[:-1].transform(texts)
    assert looked_at(encoded, m)["blind"]["differs"]  # what it would have been
    report = audit(pipe, member, y[m], other, y[~m], QUICK, random_state=0)
    assert not report.void


def test_near_duplicates_across_sides_are_counted():
    rng, m = np.random.default_rng(0), np.arange(400) < 200
    X = rng.normal(size=(400, 10))
    assert looked_at(X, m)["near_duplicates"] | {"distance": 0} == {
        "n": 200,
        "near": 0,
        "distance": 0,
    }
    X[200:230] = X[:30] + rng.normal(0, 1e-3, size=(30, 10))
    assert looked_at(X, m)["near_duplicates"]["near"] == 30
    bits = (rng.random((400, 60)) < 0.5).astype(float)
    bits[200:240] = bits[:40]
    bits[200:240, 7] = 1 - bits[:40, 7]
    for table in (bits, sparse.csr_array(bits)):
        assert looked_at(table, m)["near_duplicates"]["near"] == 40


def forest(seed=0, n=200, shift=0.0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * n, 10)), rng.integers(2, size=2 * n)
    X[:n, 0] += shift
    model = RandomForestClassifier(20, random_state=0).fit(X[:n], y[:n])
    return model, X[:n], y[:n], X[n:], y[n:]


def test_figures_of_two_distributions_are_void():
    report = audit(*forest(shift=1.0), QUICK, random_state=0)
    assert report.void and report.verdict.startswith("Void: members can be told")
    assert "column 0" in report.advice[0] and "groups=" in report.advice[0]
    assert "tells members from non-members (AUC 0.7" in str(report)
    assert json.loads(report.to_json())["void"] is True
    fair = audit(*forest(), QUICK, random_state=0)
    assert not fair.void and "does not tell members" in fair.before[0]
    assert "200 non-members (records) are too few" in fair.before[-1]
    assert "1,000 for 1 % and 10,000 for 0.1 %" in fair.before[-1]
    assert "Trees: the smallest leaf holds 1 training record" in fair.before[1]
    assert fair.checks["structure"]["smallest_leaf"] == 1


def test_bare_confidences_are_not_looked_at():
    model, X, y, X_non, y_non = forest()
    sides = model.predict_proba(X), y, model.predict_proba(X_non), y_non
    report = audit(PrecomputedClassifier(model.classes_), *sides, QUICK, random_state=0)
    assert not report.void and "only confidences are given" in report.before[0]


def test_a_gate_can_neither_be_met_nor_missed_by_void_figures(tmp_path, capsys):
    joblib = pytest.importorskip("joblib")
    model, *sides = forest(shift=1.0)
    joblib.dump(model, tmp_path / "model.joblib")
    for name, X, y in (("members", *sides[:2]), ("others", *sides[2:])):
        frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(10)]).assign(label=y)
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    files = [f"{tmp_path}/{name}" for name in ("model.joblib", "members.csv", "others.csv")]
    options = ["audit", "--model", files[0], "--members", files[1], "--non-members", files[2]]
    options += ["--attacks", "quick", "--seed", "0", "--trust"]
    assert main([*options, "--fail-above", "0.49"]) == 2
    assert "VOID: members can be told" in capsys.readouterr().err
    assert main(options) == 0


# ---- persons


def persons(n=60, seed=0, per=4):
    """(target, sides, groups): each person's records share a rare pattern of the features."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(2 * n), per)
    X = rng.normal(size=(2 * n, 6))[of] + 0.5 * rng.normal(size=(len(of), 6))
    y, m = rng.integers(2, size=len(of)), of < n
    model = RandomForestClassifier(20, min_samples_leaf=4, random_state=0).fit(X[m], y[m])
    names = np.array([f"person {i}" for i in of], dtype=object)
    return model, (X[m], y[m], X[~m], y[~m]), (names[m], names[~m])


def test_persons_are_judged_as_one():
    model, sides, groups = persons()
    by_record = audit(model, *sides, QUICK, random_state=0)
    report = audit(model, *sides, QUICK, random_state=0, groups=groups)
    assert report.n_persons == {"members": 60, "non_members": 60}
    assert report.n_members == by_record.n_members == 240
    # four records tell more than one
    assert report.strongest["auc"] > by_record.strongest["auc"] + 0.02
    assert "of the persons (interval" in report.verdict
    assert report.results[0]["excess"] == 0 and report.results[0]["accuracy"] == report.floor
    assert sum(report.slices["class"]["n_members"]) == 240
    frame = report.records_to_frame()
    one = frame.groupby("person")
    assert (one["score"].nunique() == 1).all() and (one["accused"].nunique() == 1).all()
    assert frame["person"].tolist() == [*groups[0], *groups[1]]


def test_no_person_is_in_both_halves():
    m, of = np.arange(300) < 150, np.arange(300) // 3
    for seed in range(5):
        first, second = split_halves(m, of, seed)
        assert not set(of[first]) & set(of[second]) and len(first) + len(second) == 300
        assert abs(m[first].mean() - 0.5) < 0.05
        units = Persons(m, (first, second), of)
        assert sorted(np.concatenate(units.halves)) == list(range(100))
        assert (units.is_member[units.of] == m).all()


def test_a_person_is_the_mean_the_maximum_or_the_soft_maximum_of_their_records():
    """Each half takes the one that tells more of the other: here planted in one record, or all."""
    rng, of = np.random.default_rng(0), np.repeat(np.arange(200), 5)
    m = of < 100
    halves = split_halves(m, of, 0)
    units = Persons(m, halves, of)
    noise = rng.normal(size=1000)
    one, all_of_them = noise.copy(), noise + 0.6 * m
    one[np.flatnonzero(m)[::5]] += 3.5
    for score, better in ((one, np.maximum), (all_of_them, np.add)):
        said, judged = units.pool([(score[h] > 0, score[h]) for h in halves])
        known = better.reduceat(score, np.arange(0, 1000, 5))
        truth = units.is_member
        assert roc_auc_score(truth, judged) == pytest.approx(roc_auc_score(truth, known), abs=0.04)
        assert (said == truth).mean() > 0.7
    infinite = np.where(m, np.inf, -np.inf)
    said, _ = units.pool([(infinite[h] > 0, infinite[h]) for h in halves])
    assert (said == units.is_member).all()


def test_random_persons_are_not_told_apart():
    """The records of one person are alike, and yet no split tells them from others."""
    void = confident = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        of = np.repeat(np.arange(80), 4)
        X = rng.normal(size=(80, 4))[of] + 0.1 * rng.normal(size=(320, 4))
        y = (X[:, 0] > 0).astype(int)
        model = LogisticRegression().fit(rng.normal(size=(50, 4)), rng.integers(2, size=50))
        m = (np.random.default_rng(seed).permutation(80) < 40)[of]
        sides, groups = (X[m], y[m], X[~m], y[~m]), (of[m], of[~m])
        report = audit(model, *sides, QUICK, random_state=seed, groups=groups)
        void += report.void
        confident += report.leakage in ("labels", "confidences")
    assert void <= 1 and confident <= 2


def test_records_of_persons_on_both_sides_are_left_out():
    model, sides, (first, second) = persons()
    second = second.copy()
    second[:8] = first[0]
    with pytest.warns(UserWarning, match="8 of 240 non-members belong to a person of whom records"):
        report = audit(model, *sides, QUICK, random_state=0, groups=(first, second))
    assert report.n_non_members == 232 and report.n_persons["non_members"] == 58
    frame = report.records_to_frame()
    assert (frame["status"] == "not scored").sum() == 8
    assert frame["score"].isna().sum() == 8 and "Not scored: 8 record(s)" in report.exposed


@pytest.mark.parametrize(
    "groups, match",
    [
        (lambda a, b: {"person": (a, b)}, "groups=.* is a dict.*slices"),
        (lambda a, b: a, "groups must be two arrays"),
        (lambda a, b: (a, b[:5]), r"groups holds 5 value\(s\) for 240 non-members"),
        (lambda a, b: (np.arange(len(a)) % 3, b), r"groups has 3 person\(s\) among the members"),
    ],
)
def test_groups_that_are_none_are_refused(groups, match):
    model, sides, given = persons()
    with pytest.raises(ValueError, match=match):
        audit(model, *sides, QUICK, random_state=0, groups=groups(*given))


def test_several_targets_have_the_same_persons():
    model, sides, groups = persons()
    both = audit({"a": model, "b": model}, *sides, QUICK, random_state=0, groups=groups)
    a, b = both.reports.values()
    assert a.n_persons == b.n_persons == {"members": 60, "non_members": 60}
    assert a.strongest["auc"] == b.strongest["auc"]


# ---- accusations and epsilon in the report


def test_exposed_members_stand_with_their_index_and_score(tmp_path):
    model, X, y, X_non, y_non = forest(n=400)
    frames = [pd.DataFrame(X, index=[f"id{i}" for i in range(400)]), pd.DataFrame(X_non)]
    model.fit(frames[0], y)
    weight = np.r_[np.zeros(10), np.ones(390)], np.ones(400)
    with pytest.warns(UserWarning, match="10 of 400 members have weight zero"):
        report = audit(
            model, frames[0], y, frames[1], y_non, QUICK, random_state=0,
            record_params={"sample_weight": weight},
        )  # fmt: skip
    table = report.records_to_frame()
    assert len(table) == 800 and set(table["status"]) == {
        "not scored", "accused", "not accused", "reference",
    }  # fmt: skip
    assert (table["status"][:10] == "not scored").all() and table["score"][:10].isna().all()
    assert table["index"][:3].tolist() == ["id0", "id1", "id2"] and table["index"][400] == 0
    assert table["p_value"][400:].isna().all() and table["score"][10:].between(0, 1).all()
    accused = report.accused
    assert len(accused) == table["accused"].sum() > 100
    assert accused[0]["index"] == f"id{accused[0]['row']}"
    p = [row["p_value"] for row in accused]
    assert p == sorted(p) and p[-1] < 0.1
    assert f"Accused: {len(accused):,} of 390 members" in report.exposed
    assert "Not scored: 10 record(s)" in report.exposed
    held = json.loads(report.to_json(records=True))
    assert held["accused"][0]["index"] == accused[0]["index"]
    assert not {"accused", "records", "at_risk"} & set(json.loads(report.to_json()))
    page = report.to_html(tmp_path / "report.html", records=True).read_text()
    assert "Accused members" in page and accused[0]["index"] in page
    assert accused[0]["index"] not in report.to_html(tmp_path / "report.html").read_text()


def test_nobody_is_accused_where_nobody_stands_out():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 4)), rng.integers(2, size=400)
    model = LogisticRegression().fit(rng.normal(size=(50, 4)), rng.integers(2, size=50))
    report = audit(model, X[:200], y[:200], X[200:], y[200:], QUICK, random_state=0)
    assert report.accused == [] and "none of the 200 members" in report.exposed
    assert "holds at least 20" in report.exposed  # 200 / (0.1 * 101)


def test_accusations_hold_whichever_of_many_attacks_is_picked():
    """Six attacks that know nothing, on 40 random memberships: at most 10 % have a list."""
    lists = 0
    for seed in range(40):
        rng, m = np.random.default_rng(seed), half(300, seed)
        halves = split_halves(m, None, seed)
        done = [(None, rng.random(600)) for _ in range(6)]
        _, p_value, picked = exposure(m, done, halves)
        assert np.isnan(p_value[~m]).all() and len(picked) == 2
        lists += accused_at(p_value, 0.1).any()
    assert clopper_pearson(lists, 40)[0] <= 0.1


def test_one_run_says_its_ceiling_and_takes_as_many_of_each_side():
    m = np.arange(500) < 300
    halves = split_halves(m, None, 0)
    perfect = [(None, m.astype(float) + np.linspace(0, 0.1, 500)), (None, np.zeros(500))]
    found = from_one_run(m, perfect, halves, 0)
    assert found["n_records"] == 400 and found["n_guesses"] == found["n_correct"] == 80
    assert found["epsilon"] == found["ceiling"] == pytest.approx(3.26, abs=0.01)
    assert from_one_run(m, perfect[1:], halves, 0) is None
    report = audit(*forest(), QUICK, random_state=0)
    assert "if a coin chose the members: epsilon >= " in report.from_one_run
    assert "guesses show at most" in str(report)
