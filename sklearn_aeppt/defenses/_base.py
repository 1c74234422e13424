"""What every output defense shares: three forms of fit, the label kept, nothing that leaks."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import (
    assert_all_finite,
    check_random_state,
    indexable,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _num_samples,
    check_is_fitted,
    column_or_1d,
)
from tqdm.auto import tqdm

from sklearn_aeppt._ask import ask, ask_labels, check_own_classes
from sklearn_aeppt._class_columns import in_class_order
from sklearn_aeppt._compat import (
    check_feature_names,
    check_n_features,
    check_sample_weight,
    clone_parametrized,
    take_fit_params,
)
from sklearn_aeppt._fitted import FittedInside, is_fitted
from sklearn_aeppt._keyed_noise import draw_key, masked, with_masked_keys, with_plain_keys
from sklearn_aeppt._members import (
    check_labels,
    draw_members,
    find_some_labels,
    split_by_mask,
    split_for_fitted,
)
from sklearn_aeppt._one_step import OneStep, is_twin_state
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._record_field import RecordField
from sklearn_aeppt._simplex import check_proba
from sklearn_aeppt._unchanged import run_on
from sklearn_aeppt._version import __version__
from sklearn_aeppt.defenses._decision import (
    decide_by_argmax,
    keep_side,
    keep_threshold,
    own_threshold,
    stretch_around,
)
from sklearn_aeppt.defenses._record_grid import RecordGrid
from sklearn_aeppt.defenses._wraps import WrapsClassifier

#: What messages call the answers of the wrapped model.
PROBA, LABELS = "estimator.predict_proba(X)", "estimator.predict(X)"


class OutputDefense(WrapsClassifier, ClassifierMixin, OneStep, FittedInside, BaseEstimator):
    """Base of the classifiers that release other confidences than those of the model they wrap.

    A subclass has the parameters ``estimator``, ``member_fraction`` and ``random_state`` and
    implements ``_perturb_block(proba)``, which defends a block of rows, each independently of the
    others, and ``_fit_defense(members, non_members)`` on two `Records` if it learns from them.

    One that draws sets ``n_draws``, has a parameter ``key`` and implements ``_perturb_block(proba,
    draws)`` instead, where ``draws`` are numbers from U(0, 1), shape (n, n_draws). They belong to
    the record and follow from the key: see `sklearn_aeppt._record_field`.

    There is no ``decision_function`` here and no forwarding of unknown attributes, on purpose:
    whatever else the wrapped model offers would reveal what is hidden.

    Attributes
    ----------
    estimator_ : classifier
        The wrapped estimator; undefended.
    classes_ : ndarray of shape (K,)
        Class labels, in the order of the columns of `predict_proba`.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    to_simplex : Turns moved confidences into probability vectors that keep the label.
    RoundingClassifier : A short subclass that learns nothing.
    sklearn_aeppt.EqualizedClassifier : A subclass that learns and draws.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_aeppt.defenses import OutputDefense, to_simplex
    >>> class MixedClassifier(OutputDefense):
    ...     def __init__(self, estimator, *, member_fraction=0.5, random_state=None):
    ...         self.estimator = estimator
    ...         self.member_fraction = member_fraction
    ...         self.random_state = random_state
    ...
    ...     def _perturb_block(self, proba):
    ...         mixed = 0.5 * proba + 0.5 / proba.shape[1]
    ...         return to_simplex(proba, mixed, proba.argmax(axis=1))
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::2], y[::2])
    >>> MixedClassifier(model).fit(X[::2], X[1::2]).perturb([[1.0, 0.0, 0.0]]).round(3)
    array([[0.667, 0.167, 0.167]])
    """

    _parameter_constraints: dict = {
        "estimator": "no_validation",  # `fit` checks it, to say how to fix it
        "member_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    @property
    def n_draws(self) -> int:
        """How many numbers from U(0, 1) the defense of each record needs."""
        return 0

    @property
    def shows_probabilities(self) -> bool:
        """Whether the rows of `predict_proba` sum to one."""
        return True

    @property
    def key(self) -> bytes | None:
        """The secret that the draws follow from; shown by no repr."""
        try:
            return self.__dict__["key"]
        except KeyError:
            raise AttributeError(
                f"{type(self).__name__} makes no random draws and has no key."
            ) from None

    @key.setter
    def key(self, value: bytes | None) -> None:
        self.__dict__["key"] = masked(value)

    @np.errstate(under="ignore")  # a tiny confidence may become zero
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        is_member: ArrayLike | None = None,
        y_mem: ArrayLike | None = None,
        y_non: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the defense, and the wrapped estimator too if it is not fitted yet.

        Parameters
        ----------
        X : records
            Members, or all records; passed to the wrapped estimator as they are.
        y : records, or array-like of shape (n,), default=None
            With a fitted `estimator`: the non-members (a second set of records), or a boolean
            mask over the rows of `X` that is true for members, or, with `is_member`, the class
            labels. With an unfitted one: the class labels, which it requires.
        is_member : array-like of shape (n,), boolean or 0/1, default=None
            True for the rows of `X` that are members. With an unfitted `estimator` these rows
            train it; None draws `member_fraction` of each class at random.
        y_mem : array-like of shape (n_members,), default=None
            Class labels of the members, in the form ``fit(X_mem, X_non)``.
        y_non : array-like of shape (n_non_members,), default=None
            Class labels of the non-members, in the form ``fit(X_mem, X_non)``.
        sample_weight : array-like of shape (n,), default=None
            Weights of the records, for the training of an unfitted `estimator`; the defense
            itself weighs all records alike. A record of weight zero trains nothing and counts
            as a non-member.
        **fit_params : dict
            Further parameters of the unfitted `estimator`'s ``fit``. Those with one value for
            each record are cut to the records that train it. With scikit-learn's metadata routing
            enabled they are routed by request.

        Returns
        -------
        self : OutputDefense
            The fitted defense.

        Raises
        ------
        TypeError
            If `estimator` is a class, or has no ``predict_proba``.
        ValueError
            If a parameter is out of its range, if it is unclear who is a member, if members or
            non-members are missing, if lengths differ, if the model knows none of the labels of a
            side, if the estimator's confidences are not probability vectors with one column per
            class (those of a multilabel model are not),
            or if parameters are given for the training of an estimator that is fitted.
        """
        self._validate_params()
        self._check_estimator()
        if self.n_draws:
            self._key = draw_key(self.key)  # before any training: it may be refused
        if sample_weight is not None:
            fit_params = {"sample_weight": sample_weight, **fit_params}
        if is_fitted(self.estimator):
            if fit_params:
                raise ValueError(
                    f"{next(iter(fit_params))} is for training, and the estimator is fitted: leave "
                    "it out, or give the estimator unfitted."
                )
            estimator = self.estimator
            labeled = y_mem is not None or y_non is not None
            members, non_members = split_for_fitted(X, y, is_member, two_sets=labeled)
            for name, side, labels in (("y_mem", members, y_mem), ("y_non", non_members, y_non)):
                if labels is None:
                    continue
                if side.y is not None:
                    raise ValueError(
                        f"{name} and y both give class labels: with is_member=mask, pass y only."
                    )
                side.y = check_labels(labels, _num_samples(side.X), name)
        elif y_mem is not None or y_non is not None:
            raise ValueError(
                "y_mem and y_non belong to fit(X_mem, X_non), which needs a fitted estimator: fit "
                "the estimator first, or give y with is_member=mask."
            )
        else:
            X, y, is_member = self._choose_members(X, y, is_member)
            members, non_members = split_by_mask(X, y, is_member, "is_member")
            fit_params = self._routed(fit_params)
            is_member = np.asarray(is_member, dtype=bool)
            if fit_params.get("sample_weight") is not None:
                weight = check_sample_weight(fit_params["sample_weight"], y)
                is_member = is_member & (weight != 0)
                members, non_members = split_by_mask(X, y, is_member, "is_member")
            fit_params = take_fit_params(X, fit_params, indices=np.flatnonzero(is_member))
            estimator = run_on(clone(self.estimator), "fit", members.X, members.y, **fit_params)
        if not hasattr(estimator, "classes_"):
            raise ValueError(
                f"estimator={self.estimator!r} has no classes_ after fit: wrap a classifier."
            )
        check_own_classes(estimator, "estimator")
        sides = members, non_members
        names = ["y" if one is None else name for name, one in (("y_mem", y_mem), ("y_non", y_non))]
        for side, name in zip(sides, names):
            side.proba = ask(estimator, side.X, source=PROBA)
            if side.y is not None:
                side.label = find_some_labels(estimator.classes_, side.y, name)
        self._fit_decision(estimator, sides)
        if self.n_draws:
            self._fit_draws(estimator, sides)
        self._fit_defense(members, non_members)
        check_feature_names(self, X, reset=True)
        check_n_features(self, X, reset=True)
        self.classes_ = estimator.classes_
        self.estimator_ = estimator
        return self

    def _fit_decision(self, estimator, sides):
        """Note by what rule the model decides, and show confidences of that decision only."""
        self._threshold = own_threshold(estimator)
        labels = [ask_labels(estimator, side.X, side.proba, source=LABELS) for side in sides]
        self._asks_labels = self._threshold is None and any(
            (side.proba.argmax(axis=1) != label).any() for side, label in zip(sides, labels)
        )
        for side, label in zip(sides, labels):
            side.proba = self._decided(side.proba, label if self._asks_labels else None)

    def _fit_draws(self, estimator, sides):
        self._grid = self._field = None
        X = [side.X for side in sides]
        if not takes_confidences(estimator):
            self._grid = RecordGrid().fit(*X)
            self._field = RecordField(self._key, self.n_draws).fit(estimator, *X)
        for side in sides:
            side.draws = self._draws(side.proba, side.X, estimator)

    def _decided(self, proba, label):
        """Return confidences whose argmax is the model's decision: `label`, or by its threshold."""
        if self._threshold is not None:
            return stretch_around(proba, *self._threshold)
        return proba if label is None else decide_by_argmax(proba, label)

    def _draws(self, proba, records, estimator):
        """Return the numbers in (0, 1) that belong to the records, shape (n, n_draws).

        Without records there is nothing that they could belong to: they are new ones then.
        """
        if records is None or self._field is None:
            return np.random.default_rng().random((len(proba), self.n_draws))
        draws = self._field(estimator, records)
        if len(draws) != len(proba):
            raise ValueError(
                f"records has {len(draws)} records for {len(proba)} rows of proba: give the record "
                "of each row."
            )
        return draws

    def _fit_defense(self, members, non_members):
        """Learn what `_perturb_block` needs; a defense that only transforms learns nothing."""

    def _check_estimator(self):
        if isinstance(self.estimator, type):
            raise TypeError(
                f"estimator={self.estimator!r} is a class: give an instance, "
                f"{self.estimator.__name__}()."
            )
        if not hasattr(self.estimator, "predict_proba"):
            raise TypeError(
                f"estimator={self.estimator!r} has no predict_proba to defend: wrap it in "
                "sklearn.calibration.CalibratedClassifierCV, or switch its probabilities on."
            )

    def _choose_members(self, X, y, is_member):
        """Return X, the class labels, and who trains the estimator."""
        name = type(self).__name__
        if y is None:
            raise ValueError(
                f"{name} requires y to be passed, but the target y is None: its estimator is not "
                "fitted, so give class labels, or fit the estimator first."
            )
        if getattr(y, "ndim", 1) > 1 and np.shape(y)[1] != 1:
            raise ValueError(
                f"y should be a 1d array of class labels, got an array of shape {np.shape(y)} "
                "instead: the estimator is not fitted. Fit it before fit(X_mem, X_non)."
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        X, y = indexable(X, y)
        if is_member is None:
            rng = check_random_state(self.random_state)
            is_member = draw_members(y, self.member_fraction, rng)
        return X, y, is_member

    def perturb(self, proba: ArrayLike, records: Any = None) -> np.ndarray:
        """Defend confidences that were computed elsewhere.

        Parameters
        ----------
        proba : array-like of shape (n, K)
            Probability vectors, columns in the order of ``classes_``. Never modified.
        records : records of length n, default=None
            The records of the rows, as the wrapped estimator takes them. A defense that draws at
            random gives the same record the same draws. None draws anew for each row at each
            call: anyone who may query repeatedly can average such draws away. A defense that
            does not draw ignores them.

        Returns
        -------
        shown : ndarray of shape (n, K)
            Probability vectors unless `shows_probabilities` is False, float32 if `proba` is
            float16 or float32 and float64 otherwise. Their argmax is that of `proba` or, where
            the wrapped model decides by a threshold, the label that the threshold gives.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the defense is not fitted.
        ValueError
            If `proba` has another number of columns, NaN, negative entries, or rows that miss a
            sum of one by more than 0.001; if `records` has another length.
        """
        check_is_fitted(self)
        if np.shape(proba) == (0, len(self.classes_)):
            return np.empty(np.shape(proba))
        proba = in_class_order(proba, self.classes_, "proba")
        proba = check_proba(proba, source="proba", n_classes=len(self.classes_), figures=False)
        draws = self._draws(proba, records, self.estimator_) if self.n_draws else None
        return self._perturb_in_blocks(self._decided(proba, None), draws)

    @np.errstate(under="ignore")
    def _perturb_in_blocks(self, proba, draws=None):
        """Answer block by block into one array: memory does not grow with the rows otherwise."""
        shown = np.empty(proba.shape, dtype=np.promote_types(proba.dtype, np.float32))
        size = getattr(self, "batch_size", 1024)
        starts = range(0, len(proba), size)
        if getattr(self, "verbose", 0) and len(starts) > 1:
            starts = tqdm(starts, desc=type(self).__name__, unit="block")
        for start in starts:
            rows = slice(start, start + size)
            block = proba[rows].astype(shown.dtype, copy=False)
            shown[rows] = self._perturb_block(*([block] if draws is None else [block, draws[rows]]))
            if self._threshold is not None:
                keep_threshold(shown[rows], block.argmax(axis=1), *self._threshold)
            if not np.isfinite([shown[rows].min(), shown[rows].max()]).all():
                raise ValueError(
                    f"{type(self).__name__} would show NaN or infinity, which is no confidence: "
                    "its _perturb_block must return finite numbers for every row."
                )
        return shown

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the defended confidences.

        Parameters
        ----------
        X : records of length n
            Whatever the wrapped estimator takes; passed to it as they are.

        Returns
        -------
        proba : ndarray of shape (n, K)
            Probability vectors unless `shows_probabilities` is False, columns in the order of
            ``classes_``, float32 or float64 as the wrapped estimator's own. The argmax of each
            is what `predict` returns.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the defense is not fitted.
        ValueError
            If `X` has another number of features or other names than in `fit`, or if the wrapped
            estimator's confidences are not probability vectors, one for each record.
        """
        self._check_query(X)
        proba = self._ask(X)
        if not len(proba):
            return proba
        label = self._ask_labels(X, proba) if self._asks_labels else None
        if not self.n_draws:
            return self._perturb_in_blocks(self._decided(proba, label))
        draws = self._draws(proba, X, self.estimator_)
        proba, label = self._on_grid(X, proba, label)
        return self._perturb_in_blocks(self._decided(proba, label), draws)

    # no message of a defense that is asked says what it hides

    def _ask(self, X):
        return ask(self.estimator_, X, source=PROBA, at_once=True, figures=False)

    def _ask_labels(self, X, proba):
        return ask_labels(self.estimator_, X, proba, source=LABELS, figures=False)

    def _on_grid(self, X, proba, label):
        """Return confidences of the records as they would be, with the labels of what was asked."""
        if self._grid is None:
            return proba, label
        rows, moved = self._grid.nearest(X)
        if not len(rows):
            return proba, label
        proba = np.array(proba)  # the next answer may come in the same array
        there = self._ask(moved)
        if self._threshold is None:
            asked = proba[rows].argmax(axis=1) if label is None else label[rows]
            there = decide_by_argmax(there, asked)
        else:
            there = keep_side(there, proba[rows], *self._threshold)
        proba = proba.astype(np.promote_types(proba.dtype, there.dtype), copy=False)
        proba[rows] = there
        return proba, label

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the defended confidences.

        Parameters
        ----------
        X : records of length n
            Whatever the wrapped estimator takes; passed to it as they are.

        Returns
        -------
        log_proba : ndarray of shape (n, K)
            Natural logarithm of `predict_proba`, of the same dtype; minus infinity for a
            confidence of zero.
        """
        proba = self.predict_proba(X)
        with np.errstate(divide="ignore"):  # a confidence of zero is minus infinity
            return np.log(proba)

    def predict(self, X: Any) -> np.ndarray:
        """Return the wrapped estimator's own predictions, label for label.

        Parameters
        ----------
        X : records of length n
            Whatever the wrapped estimator takes; passed to it as they are.

        Returns
        -------
        y_pred : ndarray of shape (n,)
            Class labels, of the dtype of ``classes_``: the argmax of each row of `predict_proba`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the defense is not fitted.
        ValueError
            If `X` has another number of features or other names than in `fit`, or if the wrapped
            estimator's own predictions or confidences are invalid.
        """
        self._check_query(X)
        if self._asks_labels and _num_samples(X):
            label = self._ask_labels(X, None)
        else:
            label = self._decided(self._ask(X), None).argmax(axis=1)
        return np.asarray(self.classes_)[label]

    def _check_query(self, X):
        if (
            type(X) is np.ndarray
            and X.ndim == 2
            and not hasattr(self, "feature_names_in_")
            and X.shape[1] == getattr(self, "n_features_in_", None)
        ):
            return  # fitted, and of the right width: for one record, the checks below take as long
            # as its answer
        check_is_fitted(self)
        if not takes_confidences(self.estimator_):  # whose columns go by the names of the classes
            check_feature_names(self, X, reset=False)
        if getattr(X, "ndim", 2) > 1:  # else the estimator knows best what is wrong
            check_n_features(self, X, reset=False)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def __getstate__(self):
        state = super().__getstate__()
        state = {**state, **with_plain_keys(state)}
        if not is_twin_state(state):
            return {**state, "_sklearn_aeppt_version": __version__}
        if state.get("estimator_") is state["estimator"]:  # a file needs the model once
            return {k: v for k, v in state.items() if k != "estimator_"}
        return state

    def __setstate__(self, state):
        state = dict(state)
        saved = state.pop("_sklearn_aeppt_version", "an unknown version")
        if is_twin_state(state):
            state.setdefault("estimator_", state["estimator"])
        elif saved != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved by sklearn-aeppt {saved} and is loaded by "
                f"{__version__}: its outputs may differ. Fit it again, or load it with the version "
                "that saved it.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__({**state, **with_masked_keys(state)})

    def __sklearn_clone__(self):
        """Clone like any estimator, but keep a fitted `estimator` as it is.

        Otherwise a grid search over a deployed model would quietly search over another one.
        """
        if not is_fitted(self.estimator):
            return clone_parametrized(self)
        params = self.get_params(deep=False)
        frozen = type(self)(**{**params, "estimator": FrozenEstimator(self.estimator)})
        frozen.__dict__.update({k: v for k, v in vars(self).items() if k == "_metadata_request"})
        twin = clone_parametrized(frozen)
        twin.estimator = self.estimator
        return twin
