"""Tables on the command line: read right, or refused with one line and status 2."""

import json

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_aeppt import PrecomputedClassifier
from sklearn_aeppt.__main__ import main
from sklearn_aeppt._files import load_model
from sklearn_aeppt._tables import load_records, load_sides, match_columns, name_classes
from sklearn_aeppt.audit import audit
from sklearn_aeppt.defenses import RoundingClassifier

pd = pytest.importorskip("pandas")
skops_io = pytest.importorskip("skops.io")

rng = np.random.default_rng(0)
X = rng.normal(size=(240, 4))
y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + rng.normal(size=240), [-0.6, 0.6])]
FOREST = RandomForestClassifier(10, random_state=0).fit(X[:120], y[:120])
CONFIDENCES = pd.DataFrame(FOREST.predict_proba(X), columns=FOREST.classes_).assign(label=y)
RECORDS = pd.DataFrame(X, columns=list("pqrs")).assign(label=y)
A, B = slice(0, 120), slice(120, 240)


@pytest.fixture
def run(tmp_path, capsys):
    """Write both sides, run the command; return (status, report or last line of errors)."""

    def run(members, others, *options, ending="csv", index=False, model=None, **write):
        files = [tmp_path / f"{name}.{ending}" for name in ("members", "others")]
        for table, file in zip((members, others), files):
            if ending.lower() == "parquet":
                table.to_parquet(file, index=index)
            else:
                separator = "\t" if ending.lower().startswith("tsv") else ","
                table.to_csv(file, index=index, sep=separator, **write)
        command = ["audit", "--members", files[0], "--non-members", files[1]]
        command += ["--target", "label", "--attacks", "quick", "--seed", 0, "--format", "json"]
        if model is not None:
            skops_io.dump(model, tmp_path / "model.skops")
            command += ["--model", tmp_path / "model.skops"]
        status = main([str(part) for part in (*command, *options)])
        shown = capsys.readouterr()
        return status, json.loads(shown.out) if status < 2 else shown.err.strip().splitlines()[-1]

    return run


@pytest.fixture(scope="module")
def truth():
    return audit(FOREST, X[A], y[A], X[B], y[B], "quick", random_state=0)


def test_the_file_that_a_defense_was_fitted_on(run, tmp_path):
    fitted = tmp_path / "fitted.csv"
    RECORDS[30:150][["s", "label", "r", "q", "p"]].to_csv(fitted, index=False)
    named = RandomForestClassifier(10, random_state=0).fit(RECORDS[A].drop(columns="label"), y[A])
    options = ["--fitted-on", fitted]
    status, report = run(RECORDS[A], RECORDS[B], *options, model=named)
    assert status == 0 and report["n_fitted_on"] == 90
    RECORDS[["p", "label"]].to_csv(fitted, index=False)
    status, error = run(RECORDS[A], RECORDS[B], *options, model=FOREST)
    assert status == 2 and "--fitted-on: the records have 1 feature(s)" in error
    status, error = run(CONFIDENCES[A], CONFIDENCES[B], *options)
    assert status == 2 and "--fitted-on" in error and "do not identify records" in error


@pytest.mark.parametrize("limit", ["nan", "2", "0.5", "inf", "-1", "two"])
def test_a_gate_that_could_never_fail_is_refused(run, capsys, limit):
    with pytest.raises(SystemExit) as stopped:
        run(RECORDS[A], RECORDS[B], "--fail-above", limit, model=FOREST)
    assert stopped.value.code == 2 and "--fail-above" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv.gz", "csv.bz2", "csv.xz", "csv.zip", "parquet", "npz"])
@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_a_damaged_file_is_named(tmp_path, ending, damage):
    file = tmp_path / f"records.{ending}"
    if ending == "npz":
        np.savez(file, X=X, y=y)
    else:
        RECORDS.to_parquet(file) if ending == "parquet" else RECORDS.to_csv(file, index=False)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"a,b\n1,2\n" * 40)
    with pytest.raises(ValueError, match="records"):
        load_records(file, "label")


def test_labels_that_are_no_column_are_refused(tmp_path):
    for name, arrays in {"zero": {"X": X[0, 0], "y": y[0]}, "two": {"X": X, "y": X}}.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(ValueError, match=f"{name}.npz"):
            load_records(tmp_path / f"{name}.npz")
    lists = RECORDS.assign(label=[["a"]] * len(X))
    lists.to_parquet(tmp_path / "lists.parquet")
    with pytest.raises(ValueError, match="and a label"):
        load_records(tmp_path / "lists.parquet", "label")


# ---- confidences without a model


def test_confidences_as_a_table_give_the_report_of_the_model(run, truth):
    status, report = run(CONFIDENCES[A], CONFIDENCES[B])
    assert status == 0
    assert report["n_non_members"] == 120  # equal confidences are not equal records
    assert report["strongest"]["accuracy"] == pytest.approx(truth.strongest["accuracy"])
    assert report["floor"] == pytest.approx(truth.floor)


@pytest.mark.parametrize("order", [["c", "a", "b", "label"], ["label", "b", "c", "a"]])
def test_confidences_are_matched_by_name(run, truth, order):
    _, report = run(CONFIDENCES[A], CONFIDENCES[B][order])
    assert report["strongest"]["accuracy"] == pytest.approx(truth.strongest["accuracy"])


@pytest.mark.parametrize("prefix", ["proba_", "P(class=", "class "])
@pytest.mark.parametrize("labels", [{"a": 0, "b": 1, "c": 2}, {"a": 10, "b": 11, "c": 2}])
def test_headers_may_share_a_prefix(run, truth, prefix, labels):
    renamed = {name: f"{prefix}{value}" for name, value in labels.items()}
    table = CONFIDENCES.rename(columns=renamed).replace({"label": labels}).infer_objects()
    status, report = run(table[A], table[B])
    assert status == 0
    assert report["floor"] == pytest.approx(truth.floor)


@pytest.mark.parametrize(
    "table, message",
    [
        (CONFIDENCES.rename(columns={"a": "x", "b": "y", "c": "z"}), "hold no confidences for the"),
        (CONFIDENCES.assign(id=np.arange(240)), "'id' is not named|rows that do not sum to one"),
        (
            CONFIDENCES.assign(**{k: 100 * CONFIDENCES[k] for k in "abc"}),
            "rows that do not sum to one.*percentages by 100",
        ),
        (CONFIDENCES.drop(columns="b"), "hold no confidences for the class.*b"),
    ],
    ids=["other names", "a column too many", "percents", "a column too few"],
)
def test_tables_that_are_no_confidences_are_refused(run, table, message):
    import re

    status, error = run(table[A], table[B])
    assert status == 2 and re.search(message, error)


def test_an_index_column_is_named(run):
    status, error = run(CONFIDENCES[A], CONFIDENCES[B], index=True)
    assert status == 2 and "'Unnamed: 0'" in error and "index=False" in error


@pytest.mark.parametrize("labels", [[False, True], [0, 1], [0.5, 1.5]])
def test_labels_of_two_values(run, labels):
    t = rng.random(240)
    said = np.array(labels)[(t > 0.4).astype(int)]
    table = pd.DataFrame({str(labels[0]): 1 - t, str(labels[1]): t, "label": said})
    status, report = run(table[A], table[B])
    assert status == 0 and report["n_members"] == 120


def test_a_class_that_no_record_has_keeps_its_column():
    assert name_classes(["0", "1", "2"], np.array([0, 1]), np.array([1])) == [0, 1, 2]
    assert name_classes(["u", "v"], np.array(["u"]), np.array(["u"])) == ["u", "v"]
    with pytest.raises(ValueError, match="'total' is not named after a class"):
        name_classes(["0", "1", "total"], np.array([0, 1]), np.array([1]))
    for kind in (np.array, list):
        classes = name_classes(["False", "True"], kind([True]), kind([True]))
        assert classes == [False, True] and not classes[0]
    with pytest.raises(ValueError, match="'no' is not named after a class"):
        name_classes(["no", "True"], np.array([True]), np.array([True]))
    with pytest.raises(ValueError, match="'Unnamed: 0' is not named after a class"):
        name_classes(["u", "Unnamed: 0"], np.array(["u"]), np.array(["u"]))


@pytest.mark.parametrize("classes", [[0, 1, 1], ["a", "b", "a"], [[0], [1]], []])
def test_classes_that_name_a_column_twice_are_refused(classes):
    model, match = PrecomputedClassifier(classes), "must be a one-dimensional list of different"
    for ask in (model.predict, model.predict_proba, lambda X: model.classes_):
        with pytest.raises(ValueError, match=match):
            ask(np.ones((4, len(classes))))
    with pytest.raises(ValueError, match=match):
        audit(model, X[A], y[A], X[B], y[B])


# ---- records with a model


def test_columns_go_by_name(run):
    named = RandomForestClassifier(20, random_state=0).fit(RECORDS[A][list("pqrs")], y[A])
    nameless = RandomForestClassifier(20, random_state=0).fit(X[A], y[A])
    back = [*"srqp", "label"]
    expected = run(RECORDS[A], RECORDS[B], model=named)[1]["results"]
    assert run(RECORDS[A][back], RECORDS[B][back], model=named)[1]["results"] == expected
    expected = run(RECORDS[A], RECORDS[B], model=nameless)[1]["results"]
    assert run(RECORDS[A], RECORDS[B][back], model=nameless)[1]["results"] == expected


@pytest.mark.parametrize("model_knows_names", [True, False])
def test_columns_that_do_not_match_are_named(run, model_knows_names):
    table = RECORDS[A][list("pqrs")]
    model = LogisticRegression().fit(table if model_knows_names else table.to_numpy(), y[A])
    status, error = run(RECORDS[A], RECORDS[B].drop(columns="q"), model=model)
    assert status == 2 and "--non-members lacks the column(s) q" in error
    status, error = run(RECORDS[A], RECORDS[B].assign(extra=1), model=model)
    assert status == 2 and "--non-members has the column(s) extra" in error
    status, error = run(RECORDS[A], RECORDS[B], model=model, index=True)
    assert status == 2 and "Unnamed: 0" in error and "index=False" in error


def test_a_missing_label_is_one_line(run):
    for missing in (np.nan, ""):
        table = RECORDS[B].copy()
        table.iloc[3, 4] = missing
        status, error = run(RECORDS[A], table, model=FOREST)
        assert status == 2 and "no class label in 1 record(s)" in error and "number 3" in error


def test_na_among_words_is_a_word(tmp_path):
    file = tmp_path / "records.csv"
    file.write_text("x,country,label\nNA,NA,NA\n1.5,DE,b\n2,,b\n")
    X, y = load_records(file, "label")
    assert X["country"].tolist()[:2] == ["NA", "DE"] and X["country"].isna().tolist()[2]
    assert np.isnan(X["x"][0]) and X["x"].dtype == float and y.tolist() == ["NA", "b", "b"]


def test_na_is_a_label(run):
    table = RECORDS.replace({"label": {"a": "NA", "b": "null", "c": "EU"}})
    model = RandomForestClassifier(5, random_state=0).fit(X[A], table["label"][A])
    status, report = run(table[A], table[B], model=model)
    assert status == 0 and report["n_members"] == 120


@pytest.mark.parametrize(
    "ending", ["csv.gz", "tsv", "tsv.bz2", "csv.zip", "parquet", "CSV", "Csv.GZ", "TSV", "PARQUET"]
)
def test_kinds_of_files(run, ending):
    if ending.lower() == "parquet":
        pytest.importorskip("pyarrow")
    expected = run(RECORDS[A], RECORDS[B], model=FOREST)[1]["results"]
    assert run(RECORDS[A], RECORDS[B], model=FOREST, ending=ending)[1]["results"] == expected


def test_labels_of_another_type_are_refused(run):
    numbers = RECORDS.replace({"label": {"a": 0, "b": 1, "c": 2}}).infer_objects()
    model = RandomForestClassifier(5, random_state=0).fit(X[A], numbers["label"][A].astype(str))
    status, error = run(numbers[A], numbers[B], model=model)
    assert status == 2 and "it knows ['0', '1', '2']" in error


@pytest.mark.parametrize("command", ["audit", "protect"])
def test_where_the_result_goes_is_checked_before_the_work(tmp_path, capsys, command):
    out = tmp_path / "nowhere" / ("a.html" if command == "audit" else "a.skops")
    options = ["--members", "no.csv", "--non-members", "no.csv", "--model", "no.skops"]
    assert main([command, *options, "--out", str(out)]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main([command, *options, "--out", str(tmp_path / "a.txt")]) == 2
    assert "give a file that ends in" in capsys.readouterr().err


def test_names_of_files_in_capitals(tmp_path, capsys):
    for name, side in (("m.NPZ", A), ("n.npz", B)):
        with open(tmp_path / name, "wb") as file:
            np.savez(file, X=X[side], y=y[side])
    with open(tmp_path / "model.SKOPS", "wb") as file:
        skops_io.dump(FOREST, file)
    sides = ["--members", str(tmp_path / "m.NPZ"), "--non-members", str(tmp_path / "n.npz")]
    options = [*sides, "--model", str(tmp_path / "model.SKOPS"), "--seed", "0"]
    out = tmp_path / "report.HTML"
    assert main(["audit", *options, "--attacks", "quick", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").lstrip().startswith("<")
    out = tmp_path / "defended.SKOPS"
    assert main(["protect", *options, "--defense", "RoundingClassifier", "--out", str(out)]) == 0
    assert load_model(out).classes_.tolist() == ["a", "b", "c"]
    capsys.readouterr()


@pytest.mark.parametrize("way", ["same", "with a dot", "link"])
def test_protect_does_not_write_over_the_model(tmp_path, capsys, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    skops_io.dump(FOREST, "model.skops")
    before = (tmp_path / "model.skops").read_bytes()
    out = {"same": "model.skops", "with a dot": "./model.skops", "link": "link.skops"}[way]
    if way == "link":
        (tmp_path / out).symlink_to("model.skops")
    options = ["--members", "m.csv", "--non-members", "n.csv", "--model", "model.skops"]
    assert main(["protect", *options, "--out", out]) == 2
    assert f"--out {out} is the file of --model" in capsys.readouterr().err
    assert (tmp_path / "model.skops").read_bytes() == before


@pytest.mark.parametrize("word", ["oops", "1,5"])
@pytest.mark.parametrize("model", [None, FOREST], ids=["confidences", "records"])
def test_a_word_among_numbers_is_named_by_row_and_column(run, model, word):
    table = (CONFIDENCES if model is None else RECORDS).astype(object)
    name = table.columns[1]
    for option, sides in (("--members", (A, B)), ("--non-members", (B, A))):
        wrong = table[sides[0]].copy()
        wrong.iloc[4, 1] = word
        pair = (wrong, table[sides[1]]) if option == "--members" else (table[sides[1]], wrong)
        status, error = run(*pair, model=model)
        where = f"{option} holds {word!r} in the column {name!r} of record number 4"
        assert status == 2 and where in error


def test_columns_without_numbers_on_one_side_are_no_words():
    table = RECORDS.assign(note=[None] * 120 + ["x"] * 120)[[*"pqrs", "note", "label"]]
    sides = match_columns({"a": table[A].astype({"note": float}), "b": table[B]})
    assert [list(side) for side in sides.values()] == [[*"pqrs", "note", "label"]] * 2


def test_holes_and_tables_of_one_column_are_named(run):
    hole = CONFIDENCES.copy()
    hole.iloc[7, 2] = np.nan
    status, error = run(hole[A], hole[B])
    assert status == 2 and "no confidence in the column 'c' of record number 7 (from 0)" in error
    joined = RECORDS[list("pqrs")].astype(str).agg(";".join, axis=1).to_frame("p;q;r;s;label")
    status, error = run(joined[A], joined[B], model=FOREST)
    assert status == 2 and "has one column only, 'p;q;r;s;label': give columns" in error
    status, error = run(RECORDS[:0], RECORDS[B], model=FOREST)
    assert status == 2 and "members.csv holds no records" in error


def test_a_pipeline_of_texts(run):
    texts = [f"record {'good' if value == 'a' else 'bad'} number {i}" for i, value in enumerate(y)]
    table = pd.DataFrame({"text": texts, "label": y})
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts[A], y[A])
    status, report = run(table[A], table[B], model=model)
    assert status == 0 and report["n_members"] == 120


class NoNames(ClassifierMixin, BaseEstimator):
    """Takes tables only, and notes no names."""

    def fit(self, X, y):
        self.model_ = LogisticRegression().fit(X[["p", "q"]], y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X[["p", "q"]])


class LikeCatBoost(NoNames):
    """Has names under another name, and a number of features that a file does not keep."""

    n_features_in_ = 0

    @property
    def feature_names_(self):
        return list("pqrs")

    def predict_proba(self, X):
        assert list(X) == list("pqrs")
        return super().predict_proba(X)


@pytest.mark.parametrize("kind", [NoNames, LikeCatBoost])
def test_a_model_that_takes_tables_is_given_tables(run, tmp_path, kind):
    model = kind().fit(RECORDS[A], y[A])
    joblib.dump(model, tmp_path / "model.joblib")
    options = "--model", tmp_path / "model.joblib", "--trust"
    expected = audit(model, RECORDS[A][list("pqrs")], y[A], RECORDS[B][list("pqrs")], y[B], "quick",
                     random_state=0)  # fmt: skip
    for order in ([*"pqrs", "label"], ["label", *"srqp"]):
        status, report = run(RECORDS[A][order], RECORDS[B][order], *options)
        assert status == 0 and report["floor"] == pytest.approx(expected.floor)
    status, error = run(RECORDS[A].drop(columns="p"), RECORDS[B].drop(columns="p"), *options)
    assert status == 2 and ("lacks the column(s) p" in error or "neither as an array" in error)


def test_saved_classes_take_their_confidences_by_name(run, truth):
    model = PrecomputedClassifier(FOREST.classes_)
    for order in (["c", "a", "b", "label"], ["label", "b", "c", "a"]):
        status, report = run(CONFIDENCES[A][order], CONFIDENCES[B][order], model=model)
        assert status == 0
        assert report["strongest"]["accuracy"] == pytest.approx(truth.strongest["accuracy"])
    status, error = run(*(CONFIDENCES.rename(columns={"a": "x"})[side] for side in (A, B)),
                        model=model)  # fmt: skip
    assert status == 2 and "--members has columns named x, b, c, and the classes are a, b" in error


@pytest.mark.parametrize("prefix", ["", "proba_", "c"])
@pytest.mark.parametrize("fitted_on_names", [False, True])
def test_a_saved_defense_takes_confidences_by_name(run, prefix, fitted_on_names):
    table = CONFIDENCES.rename(columns={name: prefix + name for name in "abc"})
    proba = table.drop(columns="label") if fitted_on_names else table.iloc[:, :3].to_numpy()
    defense = RoundingClassifier(PrecomputedClassifier(list("abc")), decimals=1)
    defense.fit(proba[A], proba[B])
    expected = run(table[A], table[B], model=defense)[1]["results"]
    for order in ([2, 0, 1, 3], [3, 1, 2, 0]):
        mixed = table.iloc[:, order]
        assert run(mixed[A], mixed[B], model=defense)[1]["results"] == expected
    status, error = run(*(table.set_axis([*"xyz", "label"], axis=1)[s] for s in (A, B)),
                        model=defense)  # fmt: skip
    assert status == 2 and "x, y, z" in error


def test_one_class_is_the_beginning_of_another(run, truth):
    names = {"a": "cat", "b": "cow", "c": "cats"}
    table = CONFIDENCES.rename(columns={k: f"p_{v}" for k, v in names.items()})
    table = table.replace({"label": names})[["p_cat", "label", "p_cow", "p_cats"]]
    status, report = run(table[A], table[B])
    assert status == 0 and report["floor"] == pytest.approx(truth.floor)
    mixed = table.rename(columns={"p_cow": "q_cow"})
    status, error = run(mixed[A], mixed[B])
    assert status == 2 and "with one prefix before all or none" in error


def test_confidences_of_any_frame_are_taken_by_name():
    table = CONFIDENCES[["c", "a", "b"]]
    model = PrecomputedClassifier(FOREST.classes_)
    for name, make in (("polars", "from_pandas"), ("pyarrow", "Table")):
        library = pytest.importorskip(name)
        make = getattr(library, make)
        frame = make.from_pandas(table) if name == "pyarrow" else make(table)
        np.testing.assert_array_equal(model.predict_proba(frame), FOREST.predict_proba(X))


def test_a_pipeline_of_texts_is_protected(tmp_path, capsys):
    texts = [f"record {'good' if value == 'a' else 'bad'} number {i}" for i, value in enumerate(y)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts[A], y[A])
    skops_io.dump(model, tmp_path / "model.skops")
    for name, part in (("members", A), ("others", B)):
        table = pd.DataFrame({"text": texts[part], "label": y[part]})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    files = {"members": "members.csv", "non-members": "others.csv", "model": "model.skops"}
    options = [part for key, file in files.items() for part in (f"--{key}", str(tmp_path / file))]
    assert main(["protect", *options, "--out", str(tmp_path / "out.skops")]) == 0
    defended = load_model(tmp_path / "out.skops", trust=True)
    np.testing.assert_array_equal(defended.predict(texts), model.predict(texts))


def test_an_error_of_the_program_is_status_3(monkeypatch, capsys):
    import sklearn_aeppt.__main__ as command_line

    def broken(args):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(command_line, "_demo", broken)
    assert main(["demo"]) == 3
    error = capsys.readouterr().err
    assert "Traceback" in error and "a fault of ours" in error and "please report" in error


def test_the_gate_says_its_outcome_and_why(run):
    _, report = run(RECORDS[A], RECORDS[B], model=FOREST)
    least = report["excess_at_least"]
    assert run(RECORDS[A], RECORDS[B], "--fail-above", least - 0.001, model=FOREST)[0] == 1
    assert run(RECORDS[A], RECORDS[B], "--fail-above", least + 0.001, model=FOREST)[0] == 0
    # what the strongest attack reached is not enough
    assert least < report["strongest"]["excess"]


def test_a_table_is_read_as_utf_8(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("x,label\n1,ä\n2,b\n", "latin-1")
    with pytest.raises(ValueError, match="is not UTF-8"):
        load_records(file)


def test_confidences_go_by_name_whatever_the_defense_was_fitted_on():
    frame = pd.DataFrame(rng.dirichlet(np.ones(3), 200), columns=["a", "b", "c"])
    model = PrecomputedClassifier(["a", "b", "c"])
    for X in (frame, frame.to_numpy()):
        defended = RoundingClassifier(model, decimals=1).fit(X[:100], X[100:])
        expected = defended.predict_proba(X)
        for asked in (frame, frame[["c", "a", "b"]], frame.to_numpy()):
            np.testing.assert_array_equal(defended.predict_proba(asked), expected)


# ---- what a reader of text would change in silence

ZIP = np.array(["007", "012", "100", "205"])[rng.integers(4, size=240)]
CODED = pd.DataFrame({"zip": ZIP, "p": X[:, 0]}).assign(
    label=np.where(X[:, 0] + (ZIP == "007") > 0, "01", "02")
)


def encoded(table):
    encoder = make_column_transformer((OneHotEncoder(), ["zip"]), remainder="passthrough")
    return make_pipeline(encoder, LogisticRegression()).fit(table[["zip", "p"]], table["label"])


def test_codes_stay_text_and_so_do_labels(run, tmp_path):
    model, sides = encoded(CODED[A]), [CODED[A], CODED[B]]
    expected = audit(
        model, *(part for s in sides for part in (s[["zip", "p"]], s["label"])), "quick",
        random_state=0,
    )  # fmt: skip
    fitted = tmp_path / "fitted.csv"
    CODED[A][["label", "p", "zip"]].query("zip == '100'").to_csv(fitted, index=False)
    for ending in ("csv", "tsv", "csv.gz", "parquet"):
        options = ["--fitted-on", fitted] if ending == "csv" else []
        status, report = run(*sides, *options, model=model, ending=ending)
        assert status == 0 and report["floor"] == pytest.approx(expected.floor)
    _, report = run(*sides, "--fitted-on", fitted, model=model)
    assert report["n_fitted_on"] == (ZIP[A] == "100").sum()


@pytest.mark.parametrize("coded", [0, 1])
def test_a_column_is_a_code_everywhere_if_it_is_one_somewhere(tmp_path, coded):
    files = {"--a": tmp_path / "a.csv", "--b": tmp_path / "b.csv"}
    texts = ["zip,label\n07,01\n12,2\n", "zip,label\n12,2\n13,1\n"]
    for file, text in zip(files.values(), texts if coded == 0 else texts[::-1]):
        file.write_text(text)
    sides, codes = load_sides(files, "label")
    assert codes == {"label": "01", "zip": "07"}
    for frame, labels in sides:
        assert all(isinstance(v, str) for v in (*frame["zip"], *labels))
    assert [s[0]["zip"].tolist() for s in sides][coded] == ["07", "12"]


@pytest.mark.parametrize(
    ("cells", "is_text"),
    [
        (["0", "1"], False), (["0.5", "1"], False), (["-0.5", "0"], False), (["1e5", "2"], False),
        (["00", "1"], True), (["1", "09"], True), ([" 07", "1"], True), (["", "07"], True),
        (["9007199254740993", ""], True), (["9007199254740992", ""], False),
        (["9007199254740993", "1"], False), (["0.12345678901234567890", "1"], False),
    ],
)  # fmt: skip
def test_which_cells_are_codes(tmp_path, cells, is_text):
    file = tmp_path / "a.csv"
    pd.DataFrame({"x": cells, "label": ["u", "v"]}).to_csv(file, index=False)
    found, _ = load_records(file, "label")
    assert (found["x"].dtype.kind not in "iuf") == is_text
    if is_text:
        assert [v for v in found["x"] if isinstance(v, str)] == [v for v in cells if v]
        assert found["x"].isna().tolist() == [v == "" for v in cells]


def test_a_code_far_down_makes_the_column_text(tmp_path):
    n = 50_000
    text = "x,label\n" + "".join(f"{i},u\n" for i in range(10, n)) + "007,v\n"
    (tmp_path / "a.csv").write_text(text)
    found, _ = load_records(tmp_path / "a.csv", "label")
    assert found["x"].iloc[0] == "10" and found["x"].iloc[-1] == "007"


def test_models_of_other_types_are_refused_by_file_with_what_was_read(run):
    numbers = CODED.assign(zip=CODED["zip"].astype(int))
    status, error = run(CODED[A], CODED[B], model=encoded(numbers[A]))
    assert status == 2 and "members.csv: Pipeline.predict_proba fails" in error
    assert "Found unknown categories" in error and "zip (for '0" in error and "Parquet" in error
    status, error = run(numbers[A], numbers[B], model=encoded(CODED[A]))  # it raises a TypeError
    assert status == 2 and "--members" in error and "read as numbers, unless" in error
    labels = CODED.assign(label=CODED["label"].astype(int))
    status, error = run(CODED[A], CODED[B], model=encoded(labels[A]))
    assert status == 2 and "label (for '01')" in error and "it knows [1, 2]" in error


def test_a_record_that_the_model_refuses_costs_no_traceback(run, tmp_path, capsys):
    model, far = encoded(CODED[A]), CODED[B].copy()
    far.iloc[70, 0] = "999"
    status, error = run(CODED[A], far, model=model)
    assert status == 2 and "--non-members" in error and "unknown categories ['999']" in error
    files = [f"--{k}={tmp_path / v}" for k, v in {"members": "members.csv", "model": "model.skops",
             "non-members": "others.csv", "out": "out.skops"}.items()]  # fmt: skip
    assert main(["protect", *files, "--target", "label"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_numbers_in_one_file_and_codes_in_another_are_refused(tmp_path):
    CODED.to_csv(tmp_path / "a.csv", index=False)
    numbers = CODED.assign(zip=CODED["zip"].astype(int))
    numbers.to_parquet(tmp_path / "b.parquet")
    files = {"--members": tmp_path / "a.csv", "--non-members": tmp_path / "b.parquet"}
    with pytest.raises(ValueError, match=r"--non-members .*numbers in the column 'zip'.* codes"):
        load_sides(files, "label")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_names_that_stand_twice_are_refused(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    if ending == "csv":
        file.write_text("p,q,p,label\n1,2,3,u\n4,5,6,v\n")
    else:
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet

        columns = [pa.array([1, 2])] * 4
        pyarrow.parquet.write_table(
            pa.Table.from_arrays(columns, names=["p", "q", "p", "label"]), file
        )
    with pytest.raises(ValueError, match=r"several columns of the name\(s\) 'p'"):
        load_records(file, "label")
    (tmp_path / "b.csv").write_text("p,q,p.1,label\n1,2,3,u\n4,5,6,v\n")
    assert list(load_records(tmp_path / "b.csv", "label")[0]) == ["p", "q", "p.1"]


def test_frames_with_a_name_twice_are_refused():
    twice = RECORDS.drop(columns="label").set_axis(list("ppqr"), axis=1)
    model = LogisticRegression().fit(X[A], y[A])
    for act in (
        lambda: audit(model, twice[A], y[A], twice[B], y[B], "quick"),
        lambda: RoundingClassifier(model).fit(twice[A], twice[B]),
        lambda: RoundingClassifier(model).fit(twice, np.arange(240) < 120),
    ):
        with pytest.raises(ValueError, match=r"several columns of the name\(s\) 'p'"):
            act()


@pytest.mark.parametrize("how", ["an index without a name", "a separator at the end"])
def test_cells_without_a_name_are_refused(tmp_path, how):
    rows = ["1,2,u", "4,5,v"]
    rows = [f"{i},{row}" if "index" in how else f"{row}," for i, row in enumerate(rows)]
    (tmp_path / "a.csv").write_text("\n".join(["p,q,label", *rows]))
    with pytest.raises(ValueError, match="more cells in its rows than names in its header"):
        load_records(tmp_path / "a.csv", "label")


@pytest.mark.parametrize("labels", ["abc", [0, 1, 2]])
def test_a_column_of_zeros_is_no_class(run, labels):
    names = dict(zip("abc", labels))
    table = CONFIDENCES.rename(columns=names).replace({"label": names}).infer_objects()
    table = table.set_axis([*map(str, labels), "label"], axis=1)
    extra = "extra" if labels == "abc" else "7"
    status, error = run(table[A].assign(**{extra: 0.0}), table[B].assign(**{extra: 0}))
    assert status == 2 and f"The column '{extra}' is zero in every record" in error
    some = pd.Series(0.0, table.index[A])
    some.iloc[3] = 1.0
    rest = table[A].assign(**{extra: some})
    rest.iloc[3, :3] = 0
    assert run(rest, table[B].assign(**{extra: 0.0}))[0] == 0  # a class that no record has


def test_confidences_of_the_same_records_on_both_sides_are_refused(run):
    status, error = run(CONFIDENCES[A], CONFIDENCES[A])
    assert status == 2 and "the same confidences and labels, row by row" in error


def test_records_of_fitted_on_go_by_the_names_of_members(run, tmp_path):
    fitted = tmp_path / "fitted.csv"
    RECORDS[30:150][["s", "label", "r", "q", "p"]].to_csv(fitted, index=False)
    status, report = run(RECORDS[A], RECORDS[B], "--fitted-on", fitted, model=FOREST)
    assert status == 0 and report["n_fitted_on"] == 90  # the model knows no names


def test_a_column_without_a_name_is_refused_whatever_the_model_knows(run, tmp_path):
    joblib.dump(NoNames().fit(RECORDS[A], y[A]), tmp_path / "model.joblib")
    options = "--model", tmp_path / "model.joblib", "--trust"
    status, error = run(RECORDS[A], RECORDS[B], *options, index=True)
    assert status == 2 and "'Unnamed: 0'" in error and "index=False" in error


@pytest.mark.parametrize("command", ["audit", "protect"])
def test_members_as_non_members_in_another_file_are_refused(tmp_path, capsys, command):
    skops_io.dump(FOREST, tmp_path / "model.skops")
    RECORDS[A].to_csv(tmp_path / "a.csv", index=False)
    RECORDS[20:80].iloc[::-1].to_csv(tmp_path / "b.csv", index=False)
    files = [f"--{k}={tmp_path / v}" for k, v in {"members": "a.csv", "non-members": "b.csv",
             "model": "model.skops"}.items()]  # fmt: skip
    files += [f"--out={tmp_path / 'o.skops'}"] if command == "protect" else []
    assert main([command, *files, "--target", "label"]) == 2
    error = capsys.readouterr().err
    assert "--non-members" in error and "holds no record that is not in --members" in error


def test_a_missing_label_of_a_nullable_column_is_named(tmp_path):
    table = RECORDS.convert_dtypes()
    table.iloc[3, 4] = pd.NA
    table.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"no class label in 1 record\(s\), .* number 3"):
        load_records(tmp_path / "a.parquet", "label")
