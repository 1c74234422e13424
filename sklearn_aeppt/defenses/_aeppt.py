"""AEPPT: adversarial perturbation of confidences against membership inference."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from tqdm.auto import tqdm

from sklearn_aeppt._keyed_noise import generator
from sklearn_aeppt._nets import torch
from sklearn_aeppt._nets._engine import perturb_rows
from sklearn_aeppt._seeding import seed_unseeded
from sklearn_aeppt._simplex import to_simplex
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._mim import MIMAttack
from sklearn_aeppt.defenses._base import OutputDefense
from sklearn_aeppt.defenses._step_search import adversaries, search_step
from sklearn_aeppt.defenses._substitutes import default_substitute, shelf_of


class AEPPTClassifier(OutputDefense):
    """Classifier whose confidences are perturbed against membership inference, as AEPPT does.

    A substitute membership inference model (MIM) g learns from the model's own confidences who is
    a member. Every confidence vector p then climbs the loss of the MIM's own belief m::

        q = clip(q + r * step_size * sign(grad_q loss(g(q, c), m)), 0, 1)      r ~ U(0, 1)

    for `max_iter` iterations, and is always released as a probability vector with the label that
    the wrapped model predicts.

    This is the paper's method: it defeats an attacker who was trained on *undefended* outputs. One
    who retrains on defended outputs recovers their original accuracy; against them take
    `EqualizedClassifier`.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted (or a `FrozenEstimator`): it is defended as it is and never refitted, not even in a
        grid search. Not fitted: `fit` trains a clone on part of the records.
    step_size : float > 0 or "auto", default="auto"
        Largest move of one confidence in one iteration, in probability. "auto" finds the
        smallest step at which the paper's adversary, a MIM trained on undefended answers of half
        of the records, is at 50 % on the other half (the stronger of two). With class labels,
        ``fit(X, y, is_member=mask)``, that adversary knows the true labels.
    max_l1 : float in (0, 2], default=0.5
        Limit of "auto": the mean L1 distance that the perturbation may have on held-out records.
        Where that step would be beyond it, "auto" takes the largest step within it, and warns:
        where the label alone tells members, no step hides them, and a large one only ruins the
        confidences. A `step_size` given as a number is not limited.
    max_iter : int >= 1, default=100
        Iterations T.
    substitute : MIMAttack or estimator with its interface, default=None
        The defender's MIM: fitted on ``SliceDict(proba, label)`` and membership, it must have
        ``module_``, a torch module ``(proba, label) -> logit``. None is the paper's. One that is
        fitted already, in a `FrozenEstimator`, is trained once for all steps of a grid search.
    normalize : bool, default=True
        False shows the paper's literal vectors, clipped to [0, 1] but neither summing to one
        nor certain to keep the label. For the paper's tables only.
    query_noise : {"consistent", "fresh"}, default="consistent"
        "consistent": r belongs to the record. It is ``|2 frac(a_t + u) - 1|`` with a secret
        sequence a and a secret smooth field u over the records, so that a repeated or slightly
        varied query gets the same r. "fresh": r is drawn anew each time, as in the paper; an
        attacker who asks often can average it away.
    member_fraction : float in (0, 1), default=0.5
        Share of each class that trains an unfitted `estimator`; the rest are non-members.
    batch_size : int >= 1, default=1024
        Records perturbed at a time; bounds the memory.
    device : str, default="cpu"
        Torch device of the substitute and of the perturbation.
    key : bytes of length 16 or more, or None, default=None
        Secret that the draws of "consistent" follow from. None takes a new one from the operating
        system at each `fit`.
    random_state : int, RandomState instance or None, default=None
        Governs the split and the training of the substitute. It has no part in the key. Clones
        of one estimator, such as the candidates of a grid search, train a `MIMAttack` once for
        equal confidences of equal members; with None that goes for any seed.
    verbose : int, default=0
        1 shows progress bars.

    Attributes
    ----------
    estimator_ : classifier
        The wrapped estimator; undefended.
    classes_ : ndarray of shape (K,)
        Class labels.
    substitute_ : estimator
        The fitted MIM.
    step_size_ : float
        The step in use.
    step_search_ : dict
        Only with "auto". ``step_size``, ``accuracy`` of the stronger held-out MIM and ``l1``, the
        mean L1 distance, at each step tried: ndarrays, by step. ``decided_by`` says what the step
        in use follows from: "accuracy" (of 50 %), "max_l1", or "neither" where no step up to 0.1
        reached one of them.
    n_iter_ : int
        Iterations of each record, `max_iter`.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    EqualizedClassifier : For attackers who retrain on defended outputs.
    sklearn_aeppt.attacks.MIMAttack : The networks of adversary and substitute.
    sklearn_aeppt.displays.IterationLossDisplay : The loss along the iterations.

    References
    ----------
    "Use the Spear as a Shield: A Novel Adversarial Example based Privacy-Preserving Technique
    against Membership Inference Attacks", arXiv 2011.13696, Algorithm 1, Eq. 1-3.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt import AEPPTClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomForestClassifier(random_state=0).fit(X[:900], y[:900])
    >>> defended = AEPPTClassifier(model, step_size=1e-3, random_state=0).fit(X[:900], X[900:])
    >>> bool((defended.predict(X) == model.predict(X)).all())
    True
    >>> defended.predict_proba(X[:5]).sum(axis=1).round(6)
    array([1., 1., 1., 1., 1.])
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "step_size": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_l1": [Interval(Real, 0, 2, closed="right")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "substitute": [HasMethods(["fit"]), None],
        "normalize": ["boolean"],
        "query_noise": [StrOptions({"consistent", "fresh"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
        "key": "no_validation",  # `fit` checks it, to print nothing of it
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        step_size: float | str = "auto",
        max_l1: float = 0.5,
        max_iter: int = 100,
        substitute: BaseEstimator | None = None,
        normalize: bool = True,
        query_noise: str = "consistent",
        member_fraction: float = 0.5,
        batch_size: int = 1024,
        device: str = "cpu",
        key: bytes | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.step_size = step_size
        self.max_l1 = max_l1
        self.max_iter = max_iter
        self.substitute = substitute
        self.normalize = normalize
        self.query_noise = query_noise
        self.member_fraction = member_fraction
        self.batch_size = batch_size
        self.device = device
        self.key = key
        self.random_state = random_state
        self.verbose = verbose

    @property
    def n_draws(self) -> int:
        """One number a record, for all iterations; none of the record's where they are fresh."""
        return int(self.query_noise == "consistent")

    @property
    def shows_probabilities(self) -> bool:
        """Whether rows sum to one; the paper's literal vectors do not."""
        return self.normalize

    def _fit_defense(self, members, non_members):
        rng = check_random_state(self.random_state)
        proba = np.concatenate([members.proba, non_members.proba]).astype(np.float32)
        view = slice_dict(proba=proba, label=proba.argmax(axis=1).astype(np.int64))
        is_member = np.arange(len(proba)) < len(members.proba)
        self.substitute_ = self._train_substitute(view, is_member, rng)
        if not isinstance(getattr(self.substitute_, "module_", None), torch.nn.Module):
            raise TypeError(
                f"substitute={self.substitute!r} has no torch module in module_ after fit, so "
                "there is no gradient to follow: give a MIMAttack or one with its interface."
            )
        self.substitute_.module_.to(self.device)
        self.n_iter_ = self.max_iter
        draws = None
        if self.n_draws:
            draws = np.concatenate([members.draws, non_members.draws])
            self._turns = generator(self._key, "iterations").random((self.max_iter, 1))
        self.step_size_ = self.step_size
        if self.step_size == "auto":
            labels = [side.label for side in (members, non_members)]
            if all(label is not None for label in labels):  # as the paper's adversary has them
                known = np.concatenate(labels)
                view["label"] = np.where(known >= 0, known, view["label"])
            self._search_step(view, is_member, draws, rng)

    def _train_substitute(self, view, is_member, rng):
        substitute = self.substitute
        if substitute is None:
            substitute = default_substitute(len(is_member), self.device, self.verbose)
        seeded = seed_unseeded(clone(substitute), rng)
        if type(substitute) is not MIMAttack:
            return seeded.fit(view, is_member)
        told_apart_by = substitute if self.random_state is None else seeded
        return shelf_of(self).fit(seeded, told_apart_by.get_params(), view, is_member)

    def _search_step(self, view, is_member, draws, rng):
        """Set the least step at which no MIM trained on undefended answers is above 50 %.

        Each adversary knows one half of the records and is scored on the other, which the
        defense, as deployed, was fitted on. The stronger one decides.
        """
        if min(is_member.sum(), (~is_member).sum()) < 4:
            raise ValueError(
                f"step_size='auto' needs at least 4 members and 4 non-members, got "
                f"{is_member.sum()} and {(~is_member).sum()}: give more records or a number."
            )
        games = adversaries(view, is_member, rng, device=self.device)

        def shown(rows, step):
            self.step_size_ = step
            return self._perturb_in_blocks(
                view["proba"][rows], None if draws is None else draws[rows]
            )

        with tqdm(desc="step_size", unit="step", disable=not self.verbose) as bar:
            found = search_step(games, shown, self.max_l1, on_step=bar.update)
        self.step_size_, self.step_search_, warning = found
        if warning:
            warnings.warn(warning, stacklevel=6)

    def _perturb_block(self, proba, draws=None):
        label = proba.argmax(axis=1)
        steps = self._steps(len(proba), draws)
        q = perturb_rows(self.substitute_.module_, proba, label, steps, self.step_size_)
        return to_simplex(proba, q, label) if self.normalize else q

    def _steps(self, n, draws):
        """Return r of Eq. 2 for every iteration and record, float32 of shape (max_iter, n)."""
        if draws is None:
            return np.random.default_rng().random((self.max_iter, n), dtype=np.float32)
        return np.abs(2 * ((self._turns + draws[:, 0]) % 1) - 1).astype(np.float32)

    def __sklearn_clone__(self):
        """Clone, and share what substitutes have been trained: a search would train each anew."""
        twin = super().__sklearn_clone__()
        vars(twin)["_shelf"] = shelf_of(self)  # type: ignore[index]
        return twin

    def __getstate__(self):
        return {name: value for name, value in super().__getstate__().items() if name != "_shelf"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.query_noise == "fresh"
        return tags
