"""What got worse between two reports: found where it was planted, and only there."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from sklearn_aeppt.__main__ import main
from sklearn_aeppt.attacks import GapAttack, GradientBoostingAttack, ThresholdAttack
from sklearn_aeppt.audit import AuditReport, ReportChange, audit, compare_reports
from sklearn_aeppt.audit._bundles import make_bundles
from sklearn_aeppt.audit._hashes import keys_of_units, record_digests
from sklearn_aeppt.audit._paired import difference, mean_and_covariance, simultaneous
from sklearn_aeppt.audit._units import Records, split_halves


def sides(n=400, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * n, 8)), rng.integers(3, size=2 * n)
    return X[:n], y[:n], X[n:], y[n:]


def report_on(records, leaf=1, seed=0, attacks="quick", **options):
    forest = RandomForestClassifier(20, min_samples_leaf=leaf, random_state=seed)
    target = forest.fit(*records[:2])
    return audit(target, *records, attacks, random_state=0, **options)


@pytest.fixture(scope="module")
def reports():
    records = sides()
    return report_on(records, 12), report_on(records, 12, seed=1), report_on(records, 1)


def test_a_model_that_leaks_more_is_worse_and_the_way_back_is_better(reports):
    old, again, leaky = reports
    assert not compare_reports(old, again).worse
    change = compare_reports(old, leaky)
    found = {(row["attack"], row["measure"]) for row in change.worse}
    assert ("threshold on confidence", "accuracy") in found and ("boosting", "AUC") in found
    assert change.verdict.startswith("WORSE: ") and change.worse[0]["attack"] in str(change)
    for row in change.rows:
        assert row["difference"] == pytest.approx(row["new"] - row["old"])
        assert row["low"] is None or row["low"] <= row["difference"] <= row["high"]
    back = compare_reports(leaky, old)
    assert {(row["attack"], row["measure"]) for row in back.better} == found and not back.worse
    same = compare_reports(leaky, leaky)
    assert not same.worse and not same.better and all(r["difference"] == 0 for r in same.rows)


def test_the_order_of_the_records_does_not_matter():
    X, y, X_non, y_non = sides()
    rng = np.random.default_rng(1)
    a, b = rng.permutation(400), rng.permutation(400)
    one = report_on((X, y, X_non, y_non), attacks=[GapAttack()])
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    other = audit(forest, X[a], y[a], X_non[b], y_non[b], [GapAttack()], random_state=5)
    assert one.bundles == other.bundles
    assert not compare_reports(one, other).worse + compare_reports(one, other).better


def test_pairing_finds_what_two_intervals_would_not(reports):
    old, _, leaky = reports
    paired, alone = (compare_reports(old, leaky, same_records=same) for same in (True, False))
    widths = []
    for one, other in zip(paired.rows, alone.rows):
        if one["low"] is not None:
            assert one["difference"] == pytest.approx(other["difference"])
            widths.append([row["high"] - row["low"] for row in (one, other)])
    assert np.less(*np.sum(widths, axis=0))
    assert "not paired" in alone.verdict


def test_reports_from_files_are_compared_alike(reports):
    old, _, leaky = reports
    files = (AuditReport.from_json(report.to_json()) for report in (old, leaky))
    assert compare_reports(*files).to_json() == compare_reports(old, leaky).to_json()


def test_what_cannot_be_compared_is_refused_and_says_why(reports):
    old, *_ = reports
    other = report_on(sides(seed=1))
    with pytest.raises(ValueError, match=r"different members \(SHA-256 .*same_records=False"):
        compare_reports(old, other)
    assert compare_reports(old, other, same_records=False).worse  # that one leaks more
    records = sides()
    few = report_on(records, attacks=[GapAttack()])
    with pytest.raises(ValueError, match=r"without 3 attack\(s\) of the old one \(boosting"):
        compare_reports(old, replace(few, results=[], attackers=[old.attackers[0]]))
    first, second = (
        report_on(records, attacks={"mine": ThresholdAttack(s)}) for s in ("loss", "entropy")
    )
    with pytest.raises(ValueError, match=r"attack mine is another one.*'loss'.*'entropy'"):
        compare_reports(first, second)
    reseeded = [
        report_on(records, attacks={"b": GradientBoostingAttack(max_iter=5, random_state=s)})
        for s in (0, 1)
    ]
    compare_reports(*reseeded)  # another seed is the same attack
    with pytest.raises(ValueError, match="The old report has no bundles"):
        compare_reports(report_on(tuple(part[:15] for part in records)), old)
    groups = np.arange(400) // 2, 200 + np.arange(400) // 2
    with pytest.raises(ValueError, match="One report judges persons"):
        compare_reports(old, report_on(records, groups=groups))
    with pytest.raises(ValueError, match="Of the same members, 400 were judged in one report and"):
        weight = np.r_[np.zeros(5), np.ones(395)], np.ones(400)
        with pytest.warns(UserWarning, match="weight zero"):
            light = report_on(records, record_params={"sample_weight": weight})
        compare_reports(old, light)
    with pytest.raises(ValueError, match="confidence"):
        compare_reports(old, old, confidence=1)


def test_an_attack_that_ran_in_one_report_only_is_named(reports):
    old, again, _ = reports
    rows = [row if row["attack"] != "boosting" else {"attack": "boosting", "not_run": "no time"}
            for row in again.results]  # fmt: skip
    said = compare_reports(old, replace(again, results=rows)).verdict
    assert "Not compared, since not run in the new report: boosting." in said
    said = compare_reports(replace(again, results=rows), old).verdict
    assert "not run in the old report: boosting" in said


def test_bundles_hold_ten_or_more_and_lose_no_record():
    rng = np.random.default_rng(0)
    X, is_member = rng.normal(size=(437, 3)), np.arange(437) < 187
    right, digests = rng.random(437) < 0.7, record_digests(X, np.zeros(437))
    units = Records(is_member, split_halves(is_member, None, 0))
    found = make_bundles(is_member, keys_of_units(digests, units), right, [("a", right)])
    assert min(found["members"]) >= 10 and len(found["members"]) == 18
    assert (sum(found["members"]), sum(found["non_members"])) == (187, 250)
    assert sum(found["labels"]["members"]) == right[:187].sum()
    assert found["attacks"][0]["non_members"] == found["labels"]["non_members"]
    assert make_bundles(is_member, None, right, []) == {}
    many, all_right = np.arange(9000) < 4500, np.ones(9000, dtype=bool)
    digests = record_digests(np.arange(9000)[:, None], np.zeros(9000))
    found = make_bundles(many, digests, all_right, [])["members"]
    assert len(found) == 200 and max(found) - min(found) <= 1


def test_the_error_of_a_difference_is_that_of_its_records():
    """Correctness of two models on the same records, correlated: bundles know how precisely."""
    rng, n, found = np.random.default_rng(0), 2000, []
    for _ in range(300):
        hard = rng.normal(size=n)
        before, after = (hard + rng.normal(size=n) < 0.3 for _ in range(2))
        bundle = np.arange(n) // 10
        grown = np.bincount(bundle, after.astype(float)) - np.bincount(bundle, before.astype(float))
        mean, covariance, freedom = mean_and_covariance(grown[None], np.bincount(bundle))
        found.append((mean[0], np.sqrt(covariance[0, 0])))
    assert freedom == 199
    means, errors = np.transpose(found)
    assert errors.mean() == pytest.approx(means.std(), rel=0.12)


def test_all_bounds_hold_together():
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        common = rng.normal(size=(2, 1, 600))  # how hard the records of either side are
        counts = []
        for _ in range(2):
            right = common + rng.normal(size=(2, 7, 600)) > 0
            right = right.reshape(2, 7, 60, 10).sum(axis=3)
            counts.append([np.vstack([np.full(60, 10), side]) for side in right])
        grown, covariance, freedom = difference(*counts, paired=True)
        reach = np.sqrt(np.diag(covariance)) * simultaneous(covariance, freedom, 0.9)
        wrong += (grown > reach).any()
    assert 8 <= wrong <= 36  # of 200, at 10 %


@pytest.fixture
def files(reports, tmp_path):
    names = [str(tmp_path / f"{name}.json") for name in ("old", "again", "leaky")]
    for report, name in zip(reports, names):
        report.to_json(name)
    return names


def test_the_command_says_it_with_its_status(files, capsys, tmp_path):
    old, again, leaky = files
    assert main(["compare", old, again]) == 0
    assert "Nothing got worse" in capsys.readouterr().out
    assert main(["compare", old, leaky, "--format", "markdown"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("WORSE") and "| boosting | accuracy |" in shown
    assert main(["compare", old, leaky, "--format", "json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["worse"] is True and "WORSE" in said.err
    for arguments, message in (
        ([old, str(tmp_path / "none.json")], "none.json: no such file"),
        ([old, leaky, "--confidence", "2"], "'confidence' parameter"),
    ):
        assert main(["compare", *arguments]) == 2
        assert message in capsys.readouterr().err
    other = report_on(sides(seed=1), attacks=[GapAttack()])
    other.to_json(tmp_path / "other.json")
    assert main(["compare", old, str(tmp_path / "other.json")]) == 2
    assert "different members" in capsys.readouterr().err


def test_names_are_shown_literally_everywhere(reports):
    old, _, leaky = reports
    name = "a|b *c* <img src=x>\0\n模"
    changed = [
        replace(
            report,
            name=name,
            results=[{**row, "attack": name} for row in report.results[:1]],
            attackers=[{**report.attackers[0], "attack": name}],
            bundles={**report.bundles, "attacks": [{**report.bundles["attacks"][0],
                     "attack": name}]},
        )
        for report in (old, leaky)
    ]  # fmt: skip
    change = compare_reports(*changed)
    assert isinstance(change, ReportChange)
    text = change.to_markdown()
    assert "<img" not in text.replace("\\<img", "") and "a\\|b \\*c\\*" in text
    assert "\0" not in str(change) and len(str(change).splitlines()) == 3 + len(change.rows)
    json.loads(change.to_json())
