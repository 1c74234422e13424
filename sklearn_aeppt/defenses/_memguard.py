"""MemGuard: noise over the logits that brings a defense classifier to one half."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval

from sklearn_aeppt._nets import torch
from sklearn_aeppt._nets._perturbation import logit_gradient
from sklearn_aeppt._seeding import seed_unseeded
from sklearn_aeppt._simplex import to_simplex
from sklearn_aeppt._slices import slice_dict
from sklearn_aeppt.attacks._mim import MIMAttack
from sklearn_aeppt.defenses._base import OutputDefense


class MemGuardClassifier(OutputDefense):
    """Classifier that adds MemGuard's noise to its confidences.

    For every confidence vector p with logits z and label l, phase I looks for noise e on the
    logits that carries the defense classifier's logit h across zero without changing the label.
    It descends along the normalized gradient of::

        |h(softmax(z + e))| + c2 relu(max_{j != l} (z_j + e_j) - z_l - e_l)
                            + c3 || softmax(z + e) - p ||_1

    from e = 0, for c3 = 0.1, 1, 10, ... until no such noise is found within `max_iter` steps; the
    last one found counts. Phase II releases the noisy vector with the probability that keeps the
    expected L1 distortion within `epsilon`, and p otherwise. The draw belongs to the record (a
    secret smooth field over the records' space), so that repeated or slightly varied queries
    cannot average it away.

    Keeps labels. Does not keep the ranking, and does not stop an attacker who retrains.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``
        Fitted: defended as it is. Not fitted: `fit` trains a clone on part of the records.
    epsilon : float >= 0, default=1.0
        Budget of the expected L1 distortion of each record. No two probability vectors are more
        than 2 apart, so that a greater budget is no limit.
    max_iter : int >= 1, default=300
        Steps of phase I for each c3.
    learning_rate : float > 0, default=0.1
        Length of a step, in logits.
    c2 : float > 0, default=10.0
        Weight of the label's lead over the other classes.
    c3 : float > 0, default=0.1
        First weight of the distortion.
    max_c3 : float > 0, default=1e5
        Last weight of the distortion.
    defense_classifier : MIMAttack or estimator with its interface, default=None
        Tells members from non-members by their confidences; as `AEPPTClassifier`'s `substitute`.
        None is the same network.
    member_fraction : float in (0, 1), default=0.5
        Share of each class that trains an unfitted `estimator`; the rest are non-members.
    batch_size : int >= 1, default=1024
        Records perturbed at a time; bounds the memory.
    key : bytes of length 16 or more, or None, default=None
        Secret that the draws follow from. None takes a new one from the operating system at each
        `fit`.
    random_state : int, RandomState instance or None, default=None
        Governs the split and the defense classifier. It has no part in the key.

    Attributes
    ----------
    estimator_ : classifier
        The wrapped estimator; undefended.
    classes_ : ndarray of shape (K,)
        Class labels.
    defense_classifier_ : estimator
        The fitted defense classifier.
    n_iter_ : int
        Steps of phase I for each c3, `max_iter`.
    n_features_in_ : int
        Number of features; only if the records have a fixed width.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if the records have names, all of them strings.

    See Also
    --------
    sklearn_aeppt.AEPPTClassifier : Signed gradient steps instead of phase I, no phase II.
    sklearn_aeppt.EqualizedClassifier : For attackers who retrain on defended outputs.

    References
    ----------
    Jia, Salem, Backes, Zhang, Gong (2019), "MemGuard: defending against black-box membership
    inference attacks via adversarial examples", Sections 4.2-4.4, Algorithm 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.defenses import MemGuardClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = RandomForestClassifier(random_state=0).fit(X[:900], y[:900])
    >>> defended = MemGuardClassifier(model, random_state=0).fit(X[:900], X[900:])
    >>> bool((defended.predict_proba(X[:50]).argmax(1) == model.predict(X[:50])).all())
    True
    """

    _parameter_constraints: dict = {
        **OutputDefense._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "c2": [Interval(Real, 0, None, closed="neither")],
        "c3": [Interval(Real, 0, None, closed="neither")],
        "max_c3": [Interval(Real, 0, None, closed="neither")],
        "defense_classifier": [HasMethods(["fit"]), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "key": "no_validation",  # `fit` checks it, to print nothing of it
    }

    n_draws = 1

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        epsilon: float = 1.0,
        max_iter: int = 300,
        learning_rate: float = 0.1,
        c2: float = 10.0,
        c3: float = 0.1,
        max_c3: float = 1e5,
        defense_classifier: BaseEstimator | None = None,
        member_fraction: float = 0.5,
        batch_size: int = 1024,
        key: bytes | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.c2 = c2
        self.c3 = c3
        self.max_c3 = max_c3
        self.defense_classifier = defense_classifier
        self.member_fraction = member_fraction
        self.batch_size = batch_size
        self.key = key
        self.random_state = random_state

    def _fit_defense(self, members, non_members):
        rng = check_random_state(self.random_state)
        proba = np.concatenate([members.proba, non_members.proba]).astype(np.float32)
        view = slice_dict(proba=proba, label=proba.argmax(axis=1).astype(np.int64))
        classifier = self.defense_classifier
        classifier = MIMAttack("substitute") if classifier is None else clone(classifier)
        is_member = np.arange(len(proba)) < len(members.proba)
        self.defense_classifier_ = seed_unseeded(classifier, rng).fit(view, is_member)
        self.n_iter_ = self.max_iter

    def _perturb_block(self, proba, draws):
        label = proba.argmax(axis=1)
        p = torch.tensor(proba, dtype=torch.float32)
        noisy = self._phase_1(p, torch.as_tensor(label))
        share = self._phase_2(p, noisy, torch.as_tensor(label)).numpy()
        shown = np.where((draws[:, 0] < share)[:, None], noisy.numpy(), proba)
        return to_simplex(proba, shown, label)

    def _phase_1(self, p, label):
        """Return the noisy answers, equal to `p` where no noise was found, shape (n, K)."""
        gradient_of = logit_gradient(self.defense_classifier_.module_)
        best = p.clone()
        z = p.clamp_min(1e-12).log()
        with torch.inference_mode():
            sign = torch.where(gradient_of.bind(p, label).logit() >= 0, 1.0, -1.0)
        rows, c3 = torch.arange(len(p)), self.c3
        while len(rows) and c3 <= self.max_c3:
            found, q = self._descend(gradient_of, p[rows], z[rows], label[rows], sign[rows], c3)
            rows = rows[found]
            best[rows] = q[found]
            c3 *= 10
        return best

    def _descend(self, gradient_of, p, z, label, sign, c3):
        """Return (found, answers) of the descent for one weight of the distortion."""
        own = torch.nn.functional.one_hot(label, p.shape[1]).bool()
        with torch.inference_mode():
            q, e = p.clone(), torch.zeros_like(p)
            slope = gradient_of.bind(q, label)
            step = 0
            while True:
                moved = z + e
                lead = moved[own] - moved.masked_fill(own, -torch.inf).amax(1)
                crossed = (slope.logit() * sign <= 0) & (lead > 0)
                if crossed.all() or step == self.max_iter:
                    return crossed, q
                toward = slope() * sign[:, None] + c3 * (q - p).sign()
                descent = q * (toward - (q * toward).sum(1, keepdim=True))
                losing = (lead <= 0).float() * self.c2
                descent[own] -= losing
                rival = moved.masked_fill(own, -torch.inf).argmax(1, keepdim=True)
                descent.scatter_add_(1, rival, losing[:, None])
                length = descent.norm(dim=1, keepdim=True).clamp_min(1e-12)
                # who has crossed rests, as the published loop stops there
                e -= self.learning_rate * (descent / length) * ~crossed[:, None]
                q.copy_(torch.softmax(z + e, dim=1))
                step += 1

    def _phase_2(self, p, noisy, label):
        """Return the probability with which each noisy answer is shown, shape (n,).

        Nothing where the noise does not bring the classifier closer to one half; otherwise the
        budget over the distortion, at most one (Eq. 17 and 18).
        """
        module = self.defense_classifier_.module_
        with torch.inference_mode():
            off, off_noisy = ((torch.sigmoid(module(q, label)) - 0.5).abs() for q in (p, noisy))
        distortion = (noisy - p).abs().sum(dim=1)
        share = torch.where(distortion > 0, self.epsilon / distortion.clamp_min(1e-12), 1.0)
        return torch.where(off_noisy < off, share.clamp(max=1.0), 0.0)
