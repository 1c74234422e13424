"""One matrix of shadow models, which every attack on records reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._members import check_labels
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._fit_params import PREFIX, FitParams, view_params
from sklearn_aeppt.attacks._free_models import answers_of_folds, answers_of_forests
from sklearn_aeppt.attacks._shadow_columns import shadow_columns
from sklearn_aeppt.attacks._shadow_models import (
    answers_seen,
    balanced_design,
    check_refittable,
    train_shadow_models,
)


class ShadowMatrix:
    """Which record trained which shadow model, and what every model answers to every record.

    Trained once, by `train`, or made of models that are there already, by `from_cross_validate`,
    `from_bagging` or `from_out_of_fold`. `join` adds it to a view of the same records: attacks that
    are given such a view, `LiRAAttack`, `BaVarIAAttack`, `RMIAAttack` and `LabelOnlyLiRAAttack`,
    read the answers from it and train nothing. `leave_one_out` takes each model in turn for the
    target.

    Parameters
    ----------
    in_mask : array-like of shape (n_shadow_models, n), boolean
        Which record trained which model.
    confidence : array-like of shape (n_shadow_models, n)
        Each model's confidence in each record's label.
    others : array-like of shape (n_shadow_models, n), default=None
        The sum of its confidences in the other labels; None is one minus `confidence`, which has
        lost its digits where that is nearly one.
    right : array-like of shape (n_shadow_models, n), boolean, default=None
        Whether it predicts the label; None is where `confidence` is above `others`, which is the
        argmax of two classes only.
    y : array-like of shape (n,), default=None
        The records' labels, by which `join` notices a view of other records.

    Attributes
    ----------
    in_mask : boolean ndarray of shape (n_shadow_models, n)
        Which record trained which model.
    answers : float64 ndarray of shape (n_shadow_models, n, 3)
        Confidence in the label, sum of the others, and 1 where the label is predicted.
    y : ndarray of shape (n,) or None
        The records' labels.

    Raises
    ------
    ValueError
        If the arrays differ in shape, or if confidences are negative or not finite.

    See Also
    --------
    LiRAAttack : Likelihood ratios of normal distributions.
    BaVarIAAttack : The same with priors: for few models.
    RMIAAttack : Ratios against the mean over models.
    LabelOnlyLiRAAttack : Whether the label is right, alone.

    References
    ----------
    Carlini et al. (2022), "Membership inference attacks from first principles", Section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_aeppt.attacks import LiRAAttack, RMIAAttack, ShadowMatrix, query
    >>> rng = np.random.default_rng(0)
    >>> X, y, member = rng.normal(size=(200, 80)), rng.integers(2, size=200), np.arange(200) < 100
    >>> target, half = GaussianNB().fit(X[member], y[member]), np.arange(200) % 2 == 0
    >>> matrix = ShadowMatrix.train(GaussianNB(), X, y, n_shadow_models=8, random_state=0)
    >>> view = matrix.join(query(target, X, y))
    >>> for attack in (LiRAAttack(), RMIAAttack()):
    ...     print(attack.fit(view[half], member[half]).score(view[~half], member[~half]) > 0.6)
    True
    True
    """

    def __init__(
        self,
        in_mask: ArrayLike,
        confidence: ArrayLike,
        others: ArrayLike | None = None,
        right: ArrayLike | None = None,
        y: ArrayLike | None = None,
    ) -> None:
        mine = np.asarray(confidence, dtype=np.float64)
        rest = 1 - mine if others is None else np.asarray(others, dtype=np.float64)
        said = mine > rest if right is None else np.asarray(right)
        self.in_mask = np.asarray(in_mask)
        named = {"in_mask": self.in_mask, "confidence": mine, "others": rest, "right": said}
        for name, values in named.items():
            if values.ndim != 2 or values.shape != self.in_mask.shape:
                raise ValueError(
                    f"{name} has shape {values.shape} and in_mask {self.in_mask.shape}: give a "
                    "row for each shadow model and a column for each record."
                )
            if name in ("in_mask", "right") and values.dtype != bool:
                raise ValueError(f"{name} holds {values.dtype}: give booleans.")
            if not np.isfinite(values).all() or values.min(initial=0) < 0:
                raise ValueError(f"{name} holds values that are negative or not finite.")
        self.answers = np.stack([mine, rest, said], axis=-1)
        self.y = y if y is None else check_labels(y, self.in_mask.shape[1], "y")

    @classmethod
    def _of(cls, in_mask, answers, y):
        return cls(in_mask, answers[..., 0], answers[..., 1], answers[..., 2] > 0, y)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of shadow models and of records."""
        return self.in_mask.shape

    def __repr__(self) -> str:
        return "<ShadowMatrix of {} models and {} records>".format(*self.shape)

    @classmethod
    def train(
        cls,
        estimator: BaseEstimator,
        X: Any,
        y: ArrayLike,
        *,
        n_shadow_models: int = 16,
        train_size: float = 0.5,
        asks_labels: bool = False,
        fit_params: Mapping[str, Any] | None = None,
        record_params: Mapping[str, ArrayLike] | None = None,
        n_jobs: int | None = None,
        memory: str | joblib.Memory | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> Self:
        """Train shadow models on `X`, each record in a share `train_size` of them.

        With the parameters and the records of an attack with ``mode="online"`` it has the models
        that the attack would train by itself.

        Parameters
        ----------
        estimator : unfitted classifier
            The target's kind of model, defended or not; cloned for each shadow model.
        X : records
            All records that are known to the attacker or to be scored.
        y : array-like of shape (n,)
            Their labels.
        n_shadow_models : int >= 2, default=16
            Number of shadow models.
        train_size : float in (0, 1), default=0.5
            Share of the records that trains each of them.
        asks_labels : bool, default=False
            Whether each model's ``predict`` is asked, for targets that decide by something else
            than the argmax of their confidences, such as a threshold.
        fit_params : dict or None, default=None
            What ``fit`` of every model is given, see `LiRAAttack`.
        record_params : dict or None, default=None
            What ``fit`` takes for each record, see `query`.
        n_jobs : int, default=None
            Number of models to train in parallel, through joblib and its current backend.
        memory : str or joblib.Memory, default=None
            Cache of trained models, see `LiRAAttack`: an interrupted run resumes from it.
        random_state : int, RandomState instance or None, default=None
            Seeds the split and every ``random_state`` of every shadow model.
        verbose : int, default=0
            Above 0, a progress bar is shown.

        Returns
        -------
        matrix : ShadowMatrix
            Who trained what, and all answers. The models themselves are not kept.

        Raises
        ------
        TypeError
            If `estimator` has no ``fit`` or no ``predict_proba``.
        ValueError
            If `estimator` is a fitted model that ``clone`` keeps, if `y` does not hold one label
            for each record, or if a parameter is out of its range.
        """
        check_refittable(estimator, f"{cls.__name__}.train")
        if isinstance(n_shadow_models, bool) or n_shadow_models < 2:
            raise ValueError(f"n_shadow_models={n_shadow_models!r}: give a whole number >= 2.")
        if not 0 < train_size < 1:
            raise ValueError(f"train_size={train_size!r}: give a share between 0 and 1.")
        y = np.asarray(check_labels(y, _num_samples(X), "y"))
        classes, label = np.unique(y, return_inverse=True)
        by_record = view_params(record_params, len(y))
        by_record = {name[len(PREFIX) :]: values for name, values in by_record.items()}
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        rng = check_random_state(seed)
        in_mask = balanced_design(n_shadow_models, X, train_size, rng, label)
        answers, _ = train_shadow_models(
            estimator,
            X,
            (label, y),
            in_mask,
            FitParams(dict(fit_params or {}), by_record).checked(),
            len(classes),
            seed=seed,
            read=answers_seen,
            keep_models=False,
            asks_labels=asks_labels,
            n_jobs=n_jobs,
            memory=memory,
            verbose=verbose,
        )
        return cls._of(in_mask, answers, y)

    @classmethod
    def from_cross_validate(cls, result: Mapping[str, Any], X: Any, y: ArrayLike) -> Self:
        """Take the models of a cross-validation; nothing is trained.

        The target is each of these models in turn, see `leave_one_out`: its members are the
        records of its training folds. What they leak is what a model of the pipeline leaks that is
        trained on as many records. With `RepeatedStratifiedKFold` of r repetitions, r - 1 or r - 2
        other models were trained without a given record; a single partition into folds has none,
        and leaves `RMIAAttack` alone.

        Parameters
        ----------
        result : dict of `cross_validate`
            Made with ``return_estimator=True, return_indices=True``.
        X : records
            Those that were given to `cross_validate`, in the same order.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        matrix : ShadowMatrix
            A row for each fold's model.

        Raises
        ------
        ValueError
            If `result` holds no models or no indices, or indices that `X` does not have.
        """
        missing = [name for name in ("estimator", "indices") if name not in result]
        if missing:
            raise ValueError(
                f"result={sorted(result)} holds no {missing[0]!r}: call cross_validate with "
                "return_estimator=True and return_indices=True."
            )
        in_mask, answers = answers_of_folds(result["estimator"], result["indices"]["train"], X, y)
        return cls._of(in_mask, answers, y)

    @classmethod
    def from_out_of_fold(cls, defended: BaseEstimator, X: Any, y: ArrayLike) -> Self:
        """Take the fold models of a fitted `OutOfFoldClassifier`; nothing is trained.

        The target is each of these models in turn, see `leave_one_out`, and not the defended
        classifier, which answers a training record by models that have not seen it: what is found
        is what the defense has to hide.

        Parameters
        ----------
        defended : fitted OutOfFoldClassifier
            With folds; for ``cv="oob"`` see `from_bagging`.
        X : records
            Those that it was fitted on, in the same order.
        y : array-like of shape (n,)
            Their labels.

        Returns
        -------
        matrix : ShadowMatrix
            A row for each fold's model.

        Raises
        ------
        ValueError
            If `defended` has no folds, or was fitted on another number of records.
        """
        fold = getattr(defended, "fold_", None)
        if fold is None:
            raise ValueError(
                f"defended={type(defended).__name__} has no fold_: give a fitted "
                "OutOfFoldClassifier; with cv='oob', use from_bagging(defended.estimator_, X, y)."
            )
        trains = [np.flatnonzero(row != j) for row in fold for j in range(row.max() + 1)]
        in_mask, answers = answers_of_folds(defended.estimators_, trains, X, y, fold.shape[1])
        return cls._of(in_mask, answers, y)

    @classmethod
    def from_bagging(
        cls,
        ensemble: BaseEstimator,
        X: Any,
        y: ArrayLike,
        *,
        n_shadow_models: int = 8,
        random_state: int | np.random.RandomState | None = None,
    ) -> Self:
        """Make small ensembles of the sub-models of a fitted one; nothing is trained.

        For each record on its own, half of the small ensembles consist of sub-models that did not
        draw it (they are what an ensemble trained without it consists of), and half of sub-models
        as they come, of which about 63 % drew it. No sub-model is in two of them. The target is
        each small ensemble in turn, see `leave_one_out`: what is found is what an ensemble of that
        size leaks. One of more sub-models averages more of their noise away, and leaks more.

        Parameters
        ----------
        ensemble : fitted forest or bagging classifier, or a Pipeline that ends in one
            With ``bootstrap=True``.
        X : records
            Those that it was fitted on, in the same order.
        y : array-like of shape (n,)
            Their labels.
        n_shadow_models : int >= 4, default=8
            Number of small ensembles. They are as large as the record with the fewest sub-models
            that did not draw it allows: 3 or 4 of 100.
        random_state : int, RandomState instance or None, default=None
            Seeds which sub-models are put together.

        Returns
        -------
        matrix : ShadowMatrix
            A row for each small ensemble.

        Raises
        ------
        ValueError
            If `ensemble` is no bootstrap ensemble of classifiers, was fitted on another number of
            records, or has too few sub-models.
        """
        rng = check_random_state(random_state)
        in_mask, answers = answers_of_forests(ensemble, X, y, n_shadow_models, rng)
        return cls._of(in_mask, answers, y)

    def join(self, view: dict[Any, Any]) -> dict[Any, Any]:
        """Return a view with the shadow models' answers to its records as further columns.

        Parameters
        ----------
        view : SliceDict of `query`
            A target's outputs for the records of the matrix, in the same order.

        Returns
        -------
        joined : skorch.helper.SliceDict
            The same and two keys more: ``shadow_in``, bool of shape (n, n_shadow_models), and
            ``shadow_answers``, float64 of shape (n, n_shadow_models, 3).

        Raises
        ------
        ValueError
            If `view` has another number of records, or other labels.
        """
        n = len(np.asarray(view["proba"])) if isinstance(view, dict) else 0
        if n != self.shape[1]:
            raise ValueError(
                f"view holds {n} records and the matrix {self.shape[1]}: make it by query with the "
                "records of the matrix, in the same order."
            )
        if self.y is not None and "y" in view:
            other = np.asarray(view["y"]) != np.asarray(self.y)
            if other.any():
                i = int(other.argmax())
                labels = [np.asarray(y)[i : i + 1].tolist()[0] for y in (view["y"], self.y)]
                raise ValueError(
                    f"Record {i} of view has label {labels[0]!r} and that of the matrix "
                    f"{labels[1]!r}: make the view of the same records, in the same order."
                )
        return slice_dict(**{**view, **shadow_columns(self.in_mask, self.answers)})

    def leave_one_out(self) -> Iterator[tuple[NDArray[np.intp], dict[Any, Any], NDArray[np.bool_]]]:
        """Take each model in turn for the target, and the others for its shadow models.

        The model after it is left out along with it, and records are those that one of the two was
        trained on and the other was not. Otherwise the number of shadow models that a record
        trained would say whether it trained the target, wherever each record trains as many: scores
        of a model without any leak would be below chance.

        Yields
        ------
        rows : int ndarray of shape (m,)
            The records, as columns of the matrix.
        view : SliceDict
            What the target answers to them, as two classes, the label and all others, with the
            columns of `join`: the X of an attack.
        is_member : boolean ndarray of shape (m,)
            Which of them trained the target: the y of an attack.

        Raises
        ------
        ValueError
            If there are fewer than three models.
        """
        n_models = len(self.in_mask)
        if n_models < 3:
            raise ValueError(
                f"{n_models} models: a target, one more and a shadow model are needed at least."
            )
        for i in range(n_models):
            beside = (i + 1) % n_models
            rows = np.flatnonzero(self.in_mask[i] != self.in_mask[beside])
            others = np.setdiff1d(np.arange(n_models), (i, beside))
            mine, rest, right = self.answers[i, rows].T
            view = slice_dict(
                proba=np.column_stack([mine, rest]).astype(np.float32),
                label=np.zeros(len(rows), dtype=np.int64),
                predicted=np.where(right > 0, 0, 1),
                **shadow_columns(self.in_mask[others][:, rows], self.answers[others][:, rows]),
            )
            yield rows, view, self.in_mask[i, rows]
