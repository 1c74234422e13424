"""Secret keys: what follows from one, and that no text shows it."""

import io
import logging
import pickle

import numpy as np
import pytest
from extras import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_aeppt import EqualizedClassifier
from sklearn_aeppt._files import load_model
from sklearn_aeppt._keyed_noise import draw_key, generator, keyed_seeds, sub_key, uniform_from_seeds
from sklearn_aeppt._seeding import reseed
from sklearn_aeppt.defenses import RoundingClassifier

KEY = b"0123456789 known to the tests"
OTHER = b"another one, known to the tests"
KEYED = [EqualizedClassifier(None, random_state=0)]
if torch:
    from sklearn_aeppt import AEPPTClassifier
    from sklearn_aeppt.attacks import MIMAttack
    from sklearn_aeppt.defenses import MemGuardClassifier

    quick = MIMAttack("substitute", max_epochs=2, random_state=0)
    KEYED += [
        AEPPTClassifier(None, step_size=1e-3, max_iter=3, substitute=quick, random_state=0),
        # trained long enough that most records toss a coin: over four, two keys agree by chance
        MemGuardClassifier(
            None,
            epsilon=0.02,
            max_iter=30,
            defense_classifier=clone(quick).set_params(max_epochs=20),
            random_state=0,
        ),
    ]


def test_draws_are_uniform_and_fixed_by_key_and_item():
    items = [b"%d" % i for i in range(4000)]
    seeds = keyed_seeds(items, b"k" * 32)
    draws = uniform_from_seeds(seeds, 50)
    assert draws.min() > 0 and draws.max() < 1
    assert abs(draws.mean() - 0.5) < 4 * np.sqrt(1 / 12 / draws.size)
    assert np.abs(np.corrcoef(draws[:, :10].T) - np.eye(10)).max() < 0.08
    np.testing.assert_array_equal(
        draws[7:9], uniform_from_seeds(keyed_seeds(items[7:9], b"k" * 32), 50)
    )
    assert (keyed_seeds(items, b"j" * 32) != seeds).mean() > 0.999


def test_purposes_do_not_tell_of_each_other():
    assert len({sub_key(KEY, "a"), sub_key(KEY, "b"), sub_key(OTHER, "a")}) == 3
    first = generator(KEY, "a").random(100)
    np.testing.assert_array_equal(first, generator(KEY, "a").random(100))
    assert abs(np.corrcoef(first, generator(KEY, "b").random(100))[0, 1]) < 0.4


def test_a_key_is_long_or_new():
    assert draw_key(KEY) == KEY and draw_key(bytearray(KEY)) == KEY
    assert len(draw_key(None)) == 32 and draw_key(None) != draw_key(None)
    with pytest.raises(ValueError, match="key has 15 bytes, which can be guessed"):
        draw_key(b"x" * 15)
    long = keyed_seeds([b"a"], b"x" * 100)  # a hash takes 64 at most
    assert long.shape == (1,)


@pytest.fixture(scope="module")
def records():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] > 0).astype(int)
    return X, y, np.arange(200) < 100


@pytest.fixture(scope="module")
def model(records):
    X, y, is_member = records
    return LogisticRegression().fit(X[is_member], y[is_member])


def with_key(defense, model, key=KEY):
    # not clone: an estimator of None is none that could be cloned as fitted
    return type(defense)(**{**defense.get_params(deep=False), "estimator": model, "key": key})


def texts(thing):
    """Return everything that a person or a log might be shown of an object."""
    out = [repr(thing), str(thing), f"{thing}", format(thing)]
    out += [repr(thing.get_params()), str(thing.get_params(deep=False))]
    if hasattr(thing, "_repr_html_"):
        out.append(thing._repr_html_())
    twin = vars(thing).get("_fitted_twin")  # what a debugger prints
    for part in (thing, twin, getattr(twin, "_field", None)):
        out.append(repr(getattr(part, "__dict__", None)))
    return out


def assert_masked(thing):
    for text in texts(thing):
        assert "0123456789" not in text and KEY.hex() not in text and repr(KEY) not in text


@pytest.mark.parametrize("defense", KEYED, ids=lambda d: type(d).__name__)
def test_no_text_shows_the_key(defense, model, records, tmp_path):
    X, y, is_member = records
    defense = with_key(defense, model)
    assert_masked(defense)
    assert "<secret key>" in repr(defense)
    defense.fit(X, y, is_member=is_member)
    assert_masked(defense)
    assert_masked(with_key(defense, model, None).set_params(key=KEY))
    assert_masked(clone(defense))
    pipeline = make_pipeline(StandardScaler(), clone(defense))
    for outer in (
        pipeline,
        GridSearchCV(defense, {"member_fraction": [0.5]}),
        GridSearchCV(pipeline, {}),
    ):
        assert_masked(outer)
    loaded = pickle.loads(pickle.dumps(defense))
    assert_masked(loaded)
    np.testing.assert_array_equal(loaded.predict_proba(X), defense.predict_proba(X))
    assert loaded.key == KEY
    # that of a pickle, and of the key that None drew
    drawn = with_key(defense, model, None).fit(X, y, is_member=is_member)
    for text in texts(drawn):
        assert drawn._key.hex() not in text and repr(bytes(drawn._key)) not in text


@pytest.mark.parametrize("kind", [bytearray, memoryview, np.bytes_, type("Bytes", (bytes,), {})])
def test_a_key_of_any_bytes_is_masked(kind, model, records):
    X, y, is_member = records
    defense = with_key(KEYED[0], model, kind(KEY))
    assert_masked(defense.fit(X, y, is_member=is_member))
    assert_masked(clone(defense))
    expected = with_key(KEYED[0], model).fit(X, y, is_member=is_member).predict_proba(X)
    np.testing.assert_array_equal(defense.predict_proba(X), expected)


@pytest.mark.parametrize("key", [KEY.decode(), [*KEY], int.from_bytes(KEY, "big"), {KEY}])
def test_what_is_no_key_is_refused_and_never_shown(key, model, records):
    X, y, is_member = records
    defense = with_key(KEYED[0], model, key)
    for shown in (defense, clone(defense)):
        assert_masked(shown)
        assert all(str(key) not in text for text in texts(shown))
        with pytest.raises(ValueError, match=f"key is of type {type(key).__name__}, not bytes"):
            shown.fit(X, y, is_member=is_member)


@pytest.mark.parametrize("defense", KEYED, ids=lambda d: type(d).__name__)
def test_a_file_of_skops_keeps_the_key_and_does_not_print_it(defense, model, records, tmp_path):
    skops = pytest.importorskip("skops.io")
    X, y, is_member = records
    defense = with_key(defense, model).fit(X, y, is_member=is_member)
    skops.dump(defense, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert_masked(loaded)
    assert loaded.key == KEY
    again = loaded.fit(X, y, is_member=is_member)
    np.testing.assert_array_equal(again.predict_proba(X), defense.predict_proba(X))


def test_a_logged_or_searched_key_is_masked(model, records, caplog):
    X, _, is_member = records
    defense = with_key(KEYED[0], model)
    with caplog.at_level(logging.INFO):
        logging.getLogger("deploy").info("serving %r with %s", defense, defense.get_params())
    assert "0123456789" not in caplog.text and "secret key" in caplog.text
    search = GridSearchCV(defense, {"delta": [0.0, 0.1]}, scoring=lambda *args: 0.0, cv=2)
    search.fit(X, is_member)
    assert_masked(search)
    assert_masked(search.best_estimator_)
    assert "0123456789" not in str(search.cv_results_)


@pytest.mark.parametrize("defense", KEYED, ids=lambda d: type(d).__name__)
def test_the_key_alone_fixes_the_draws(defense, model, records):
    X, y, is_member = records

    def shown(key, **params):
        one = with_key(defense, model, key).set_params(**params)
        return one.fit(X, y, is_member=is_member).predict_proba(X)

    first = shown(KEY)
    np.testing.assert_array_equal(shown(KEY), first)
    np.testing.assert_array_equal(clone_of(defense, model, records), first)
    for other in (shown(OTHER), shown(None)):
        assert (other != first).any()
    # random_state has no part in it
    assert (shown(None, random_state=0) != shown(None, random_state=0)).any()


def clone_of(defense, model, records):
    X, y, is_member = records
    return clone(with_key(defense, model)).fit(X, y, is_member=is_member).predict_proba(X)


@pytest.mark.parametrize("defense", KEYED, ids=lambda d: type(d).__name__)
def test_a_refit_and_a_clone_without_a_key_draw_new_ones(defense, model, records):
    X, y, is_member = records
    one = with_key(defense, model, None).fit(X, y, is_member=is_member)
    keys = {one._key, clone(one).fit(X, y, is_member=is_member)._key}
    one.fit(X, y, is_member=is_member)
    keys.add(one._key)
    assert len(keys) == 3 and {len(key) for key in keys} == {32}
    assert one.key is None  # the parameter is what the user gave


@pytest.mark.parametrize("defense", KEYED, ids=lambda d: type(d).__name__)
def test_a_short_key_and_one_of_another_type_are_refused(defense, model, records):
    X, y, is_member = records
    with pytest.raises(ValueError, match="key has 5 bytes, which can be guessed"):
        with_key(defense, model, b"short").fit(X, y, is_member=is_member)
    for key in ("0123456789 a secret, but text", 123456789):
        with pytest.raises(ValueError, match=r"key is of type (str|int), not bytes") as caught:
            with_key(defense, model, key).fit(X, y, is_member=is_member)
        assert "123456789" not in str(caught.value)


def test_a_key_is_refused_before_anything_is_trained(records):
    class Untouched(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError("trained")

    X, y, _ = records
    with pytest.raises(ValueError, match="key has 5 bytes"):
        EqualizedClassifier(Untouched(), key=b"short").fit(X, y)


def test_an_error_does_not_print_the_key(model, records):
    X, y, is_member = records
    defense = with_key(KEYED[0], model).set_params(delta=7)
    with pytest.raises(ValueError) as caught:
        defense.fit(X, y, is_member=is_member)
    assert "0123456789" not in str(caught.value)


def test_shadow_models_know_no_key_of_the_target(model):
    """An attacker who clones a defended target would else be given its secret."""
    defense = with_key(KEYED[0], model)
    for target, found in (
        (clone(defense), lambda one: one),
        (make_pipeline(StandardScaler(), clone(defense)), lambda one: one[-1]),
        (with_key(KEYED[0], clone(defense)), lambda one: one.estimator),
        (with_key(KEYED[0], model, None), lambda one: one),
    ):
        keys = {found(reseed(target, np.random.RandomState(seed))).key for seed in (0, 0, 1)}
        assert len(keys) == 2 and KEY not in keys and None not in keys
        assert_masked(target)


def test_what_draws_nothing_has_no_key(model):
    defense = RoundingClassifier(model)
    with pytest.raises(AttributeError, match="makes no random draws and has no key"):
        _ = defense.key
    assert not hasattr(defense, "key") and "key" not in defense.get_params()
    assert io.BytesIO(pickle.dumps(defense)).read()
