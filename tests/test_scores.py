"""Scores of attacks with shadow models: against plain loops, integrals, chance, and themselves."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import beta as beta_function
from scipy.stats import invgamma, norm, t
from sklearn.metrics import roc_auc_score

from sklearn_aeppt.attacks import (
    BaVarIAAttack,
    LabelOnlyLiRAAttack,
    LiRAAttack,
    RMIAAttack,
    ShadowMatrix,
)
from sklearn_aeppt.attacks._label_lira import fit_beta
from sklearn_aeppt.attacks._normal_inverse_gamma import (
    Prior,
    fit_prior,
    log_sf,
    moments,
    predictive,
    update,
)
from sklearn_aeppt.attacks._proxies import N_PROXIES, proxy_answers

ATTACKS = {
    "LiRA": LiRAAttack(),
    "LiRA, pooled": LiRAAttack(variance="pooled"),
    "LiRA, per record": LiRAAttack(variance="per_record"),
    "LiRA, loss": LiRAAttack(statistic="loss"),
    "LiRA, confidence": LiRAAttack(statistic="confidence"),
    "LiRA, offline": LiRAAttack(mode="offline"),
    "LiRA, proxy": LiRAAttack(mode="proxy"),
    "BaVarIA": BaVarIAAttack(),
    "BaVarIA, Gaussian": BaVarIAAttack(form="gaussian"),
    "BaVarIA, pooled": BaVarIAAttack(prior_mean="pooled"),
    "BaVarIA, offline": BaVarIAAttack(mode="offline"),
    "BaVarIA, offline, Gaussian": BaVarIAAttack(mode="offline", form="gaussian"),
    "BaVarIA, proxy": BaVarIAAttack(mode="proxy"),
    "RMIA": RMIAAttack(),
    "RMIA, offline": RMIAAttack(mode="offline"),
    "BASE": RMIAAttack(form="ratio"),
    "BASE, offline": RMIAAttack(form="ratio", mode="offline", offline_a=0.3),
    "label-only LiRA": LabelOnlyLiRAAttack(),
    "label-only LiRA, offline": LabelOnlyLiRAAttack(mode="offline"),
}
each = pytest.mark.parametrize("name", ATTACKS)


def as_answers(logit):
    """Return answers of two classes with these logits of the label."""
    return np.stack([1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit)), logit > 0], axis=-1)


def half_design(rng, n_models, n):
    return rng.random((n_models, n)).argsort(axis=0) < n_models // 2


# ---- golden figures: a score never changes silently


def small_matrix():
    """(target, shadows, in_mask, member) by arithmetic alone, so that no generator matters."""
    model, record = np.meshgrid(np.arange(8), np.arange(12), indexing="ij")
    in_mask = (model + record * 3) % 8 < 4
    share = ((model * 7 + record * 11 + model * record * 5) % 23 + 1) / 25
    share = np.where(in_mask, share ** (1 / 3), share)
    mine = ((np.arange(12) * 9) % 17 + 1.5) / 19
    member = np.array([1, 0, 1, 0, 0, 1, 0, -1, -1, -1, -1, -1])
    answers = [np.stack([p, 0.9 * (1 - p), p > 0.4], axis=-1) for p in (mine, share)]
    return *answers, in_mask, member


GOLDEN = {
    "LiRA": [
        -2.5456047, 0.76178467, -3.3623526, 1.070049, -3.2291715, -0.16897515, -2.1215566,
        2.1259027, -8.5348399, 0.69861923, -1.3266859, 1.1745534
    ],
    "LiRA, pooled": [
        -3.99048, 0.70071797, -3.3979816, 0.72833291, -4.0843401, -0.15995779, -2.0960889,
        1.8053433, -5.3421055, 0.7098927, -1.1834918, 1.3400126
    ],
    "LiRA, per record": [
        -1.6329065, 0.89396939, -3.2343342, 14.054542, -2.5126399, -0.1870425, -2.1571602,
        2.7675988, -37.893358, 0.68493454, -1.5985524, 1.0069959
    ],
    "LiRA, loss": [
        -15.408479, 1.8182297, -26.931481, 1.8550433, -15.285914, 1.095326, -10.143059,
        2.8888746, -17.746959, 1.5813444, -3.9367278, 1.776022
    ],
    "LiRA, confidence": [
        -3.1479206, 0.67763003, -6.5038288, 1.6715167, -5.4868162, 0.4026678, -4.0849703,
        3.0861233, -12.55112, 1.0797032, -2.3467499, 1.5887136
    ],
    "LiRA, offline": [
        0.061676158, 1.8395039, 0.082488144, 2.5553486, 0.24224508, 1.6425456, 0.25246039,
        3.958575, 2.2838283, 1.8590716, 0.46612157, 2.6993929
    ],
    "LiRA, proxy": [
        -5.1619955, 0.041124414, -3.1713356, 0.38496189, -2.8914964, 0.14272584, -2.2367268,
        2.0925856, -1.407116, 0.6439287, -1.6531782, 1.3261714
    ],
    "BaVarIA": [
        -5.0028602, -0.64701667, -3.4928, -0.24161833, -3.171367, 0.56049257, -2.3071647,
        0.55391401, -3.159139, 1.0227165, -1.5332832, 1.4793996
    ],
    "BaVarIA, Gaussian": [
        -5.0079106, -0.64682436, -3.494307, -0.24150764, -3.1722079, 0.56044382, -2.3073272,
        0.55389697, -3.1599206, 1.0225495, -1.5331027, 1.4792559
    ],
    "BaVarIA, pooled": [
        -5.2126593, -0.2246882, -3.9764461, 0.080894618, -3.2491068, 0.32941601, -2.6034836,
        0.80551202, -2.2141652, 0.99197034, -1.6845524, 1.4179222
    ],
    "BaVarIA, offline": [
        0.099647974, 1.4264509, 0.18504059, 1.6031455, 0.31308456, 1.7521282, 0.41422323,
        2.2240166, 0.69220073, 2.3267764, 0.67574078, 2.8176512
    ],
    "BaVarIA, offline, Gaussian": [
        0.095778921, 1.441143, 0.18042407, 1.621953, 0.30865305, 1.7745174, 0.41055667,
        2.2582853, 0.69218559, 2.363721, 0.67546473, 2.8677232
    ],
    "BaVarIA, proxy": [
        -5.2393743, -0.34209402, -4.1102626, -0.047759181, -3.4090301, 0.30970566, -2.6529255,
        0.7667714, -2.0722852, 0.9734543, -1.729954, 1.4358095
    ],
    "RMIA": [0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5],
    "RMIA, offline": [0, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0.25, 0.5, 0, 0.5],
    "BASE": [
        -1.9741544, 0.13505486, -1.6212043, 0.24454595, -1.219968, 0.064534582, -0.98495904,
        0.34714306, -0.59598351, 0.22937996, -0.56636267, 0.34297054
    ],
    "BASE, offline": [
        -2.0761444, 0.013905762, -1.6729009, 0.15375945, -1.2288466, 0.064986622, -1.047319,
        0.40585407, -0.36021413, 0.16203223, -0.64031424, 0.29069737
    ],
    "label-only LiRA": [
        -3.4193549, 1.0158696, -3.4197366, 1.0184323, -3.4197366, 1.0171501, -3.4197366,
        1.0184323, -3.4211408, 1.0158696, -3.4197366, 1.0158696
    ],
    "label-only LiRA, offline": [
        0, 1.0372193, 0, 1.039782, 0, 1.0384998, 0, 1.039782, 0, 1.0372193, 0, 1.0372193
    ],
}  # fmt: skip


@each
def test_golden_figures(name):
    score = ATTACKS[name]._score(*small_matrix())
    # a prior is found by a search, to some digits; all else is arithmetic
    searched = name.startswith(("BaVarIA", "label"))
    rtol, atol = (2e-3, 2e-3) if searched else (1e-6, 1e-12)
    np.testing.assert_allclose(score, GOLDEN[name], rtol=rtol, atol=atol)


def plain_lira(variance, offline):
    target, shadows, in_mask, _ = small_matrix()
    logit = lambda a: np.log(a[..., 0]) - np.log(a[..., 1])  # noqa: E731
    sides = []
    for mask in (~in_mask, in_mask):
        groups = [logit(shadows[:, i])[mask[:, i]] for i in range(12)]
        pooled = np.mean([g.var(ddof=1) for g in groups])
        weight = {"pooled": 1, "per_record": 0, "shrunk": 4 / (4 + 3)}[variance]
        own = [weight * pooled + (1 - weight) * g.var(ddof=1) for g in groups]
        sides.append([(g.mean(), np.sqrt(v)) for g, v in zip(groups, own)])
    found = []
    for s, outside, inside in zip(logit(target), *sides):
        if offline:
            found.append(-np.log(1 - norm.cdf((s - outside[0]) / outside[1])))
        else:
            found.append(np.log(norm.pdf(s, *inside) / norm.pdf(s, *outside)))
    return found


@pytest.mark.parametrize("variance", ["shrunk", "pooled", "per_record"])
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_lira_is_a_plain_loop(variance, mode):
    attack = LiRAAttack(variance=variance, mode=mode)
    expected = plain_lira(variance, mode == "offline")
    np.testing.assert_allclose(attack._score(*small_matrix()), expected, rtol=1e-8)


def test_rmia_and_base_are_plain_loops():
    target, shadows, in_mask, member = small_matrix()
    ratio = []
    for i in range(12):
        inside, outside = (shadows[m, i, 0].mean() for m in (in_mask[:, i], ~in_mask[:, i]))
        ratio.append(target[i, 0] / ((inside + outside) / 2))
    base = [np.log(r) for r in ratio]
    np.testing.assert_allclose(ATTACKS["BASE"]._score(*small_matrix()), base)
    others = [r for r, m in zip(ratio, member) if m == 0]
    rmia = [np.mean([r / z > 2 for z in others]) for r in ratio]
    np.testing.assert_allclose(ATTACKS["RMIA"]._score(*small_matrix()), rmia)
    offline = [
        np.log(target[i, 0] / ((1.3 * shadows[~in_mask[:, i], i, 0].mean() + 0.7) / 2))
        for i in range(12)
    ]
    np.testing.assert_allclose(ATTACKS["BASE, offline"]._score(*small_matrix()), offline)


def test_label_only_lira_is_a_plain_loop():
    target, shadows, in_mask, _ = small_matrix()
    rates = []
    for mask in (~in_mask, in_mask):
        hits = [int((shadows[mask[:, i], i, 2] > 0).sum()) for i in range(12)]
        a, b = fit_beta(np.full(12, 4), np.array(hits))
        rates.append([(a + h) / (a + b + 4) for h in hits])
    expected = [
        np.log(q_in / q_out) if right else np.log((1 - q_in) / (1 - q_out))
        for right, q_out, q_in in zip(target[:, 2], *rates)
    ]
    np.testing.assert_allclose(ATTACKS["label-only LiRA"]._score(*small_matrix()), expected)


@pytest.mark.parametrize("form", ["t", "gaussian"])
def test_bavaria_is_a_plain_loop_around_its_prior(form):
    target, shadows, in_mask, _ = small_matrix()
    logit = lambda a: np.log(a[..., 0]) - np.log(a[..., 1])  # noqa: E731
    seen = logit(shadows)
    said = {}
    for side, mask, other in (("out", ~in_mask, in_mask), ("in", in_mask, ~in_mask)):
        prior = fit_prior(seen, mask, moments(seen, other)[1])
        for i, s in enumerate(logit(target)):
            x, k = seen[mask[:, i], i], 4
            kappa, alpha = prior.kappa + k, prior.alpha + k / 2
            m = (prior.kappa * prior.mean[i] + x.sum()) / kappa
            shift = (x.mean() - prior.mean[i]) ** 2
            beta = prior.beta + ((x - x.mean()) ** 2).sum() / 2
            beta += prior.kappa * k * shift / kappa / 2
            if form == "t":
                scale = np.sqrt(beta * (kappa + 1) / alpha / kappa)
                said[side, i] = t.logpdf((s - m) / scale, 2 * alpha) - np.log(scale)
            else:
                said[side, i] = norm.logpdf(s, m, np.sqrt(beta / (alpha - 1)))
    expected = [said["in", i] - said["out", i] for i in range(12)]
    score = BaVarIAAttack(form=form)._score(*small_matrix())
    np.testing.assert_allclose(score, expected, rtol=1e-8)


# ---- what the formulas say


def test_the_predictive_density_is_the_integral_over_mean_and_variance():
    """Bayes' rule on a grid of means and variances, which knows nothing of conjugacy."""
    prior = Prior(0.5, 0.7, 2.2, 1.9)
    seen, x = np.array([1.3, 0.2, 2.1]), np.linspace(-4, 6, 11)
    mu, log_v = np.linspace(-25, 25, 2001)[:, None], np.linspace(-6, 7, 301)
    v = np.exp(log_v)
    weight = norm.pdf(mu, prior.mean, np.sqrt(v / prior.kappa))
    weight *= invgamma.pdf(v, prior.alpha, scale=prior.beta) * v  # dv = v d log v
    for one in seen:
        weight *= norm.pdf(one, mu, np.sqrt(v))
    density = [(weight * norm.pdf(one, mu, np.sqrt(v))).sum() / weight.sum() for one in x]
    mask = np.ones((3, 1), dtype=bool)
    posterior = update(prior, seen[:, None], mask)
    np.testing.assert_allclose(predictive(posterior, "t").pdf(x[:, None])[:, 0], density, rtol=1e-4)
    mean_of_variance = (weight * v).sum() / weight.sum()
    gaussian = predictive(posterior, "gaussian")
    np.testing.assert_allclose(gaussian.var(), mean_of_variance, rtol=1e-2)
    np.testing.assert_allclose(gaussian.mean(), (weight * mu).sum() / weight.sum(), rtol=1e-4)


def test_a_prior_is_found_again():
    rng = np.random.default_rng(0)
    n, k = 20_000, 5
    variance = invgamma.rvs(3, scale=4, size=n, random_state=rng)
    mu = rng.normal(-1, np.sqrt(variance / 0.5))
    values = mu + np.sqrt(variance) * rng.normal(size=(k, n))
    prior = fit_prior(values, np.ones((k, n), dtype=bool))
    assert prior.mean == pytest.approx(-1, abs=0.05)
    assert prior.kappa == pytest.approx(0.5, rel=0.05)
    assert prior.alpha == pytest.approx(3, rel=0.1)
    assert prior.beta == pytest.approx(4, rel=0.1)


def test_a_rate_is_found_again():
    rng = np.random.default_rng(0)
    count = np.full(20_000, 6)
    hits = rng.binomial(count, rng.beta(2, 0.7, count.size))
    assert fit_beta(count, hits) == pytest.approx((2, 0.7), rel=0.06)
    assert beta_function(*fit_beta(count, count)) > 0  # all are right: a rate below one, still
    for always in (count, 0 * count):
        assert all(np.isfinite(fit_beta(count, always)))


def test_a_tail_that_is_no_float_has_a_logarithm():
    z = np.array([1.0, 30, 38, 39, 60, 500])
    found = log_sf(t(np.full(6, 1e4), 0, 1), z)
    assert np.isfinite(found).all() and (np.diff(found) < 0).all()
    np.testing.assert_allclose(found[2], t.logsf(38, 1e4), rtol=1e-9)
    np.testing.assert_allclose(found[3] - found[2], t.logpdf(39, 1e4) - t.logpdf(38, 1e4), atol=0.1)


def test_models_that_all_agree_are_no_division_by_zero():
    in_mask = np.arange(8)[:, None] % 2 == np.zeros(30, dtype=int)
    shadows = np.broadcast_to([1.0, 0.0, 1.0], (8, 30, 3))
    target = np.tile([[1.0, 0.0, 1.0], [0.9, 0.1, 1.0], [0.2, 0.8, 0.0]], (10, 1))
    member = np.arange(30) % 2
    for name, attack in ATTACKS.items():
        assert np.isfinite(attack._score(target, shadows, in_mask, member)).all(), name


def test_votes_of_any_forest_have_finite_scores():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n, n_models, votes = int(rng.integers(6, 60)), (4, 6, 8)[seed % 3], (1, 2, 5, 100)[seed % 4]
        rate = rng.beta(0.2, 0.2, size=n)
        target, *shadows = rng.binomial(votes, rate, (1 + n_models, n)) / votes
        in_mask, member = half_design(rng, n_models, n), np.arange(n) % 3 - 1
        answers = [np.stack([p, 1 - p, p > 0.5], axis=-1) for p in (target, np.array(shadows))]
        for name, attack in ATTACKS.items():
            assert np.isfinite(attack._score(*answers, in_mask, member)).all(), name


def test_proxies_are_the_nearest_by_models_trained_on_neither():
    rng = np.random.default_rng(1)
    seen, in_mask = rng.normal(size=(6, 40)), half_design(rng, 6, 40)
    in_mask[:, :5] = False  # they trained nothing: they have proxies, and are none
    answers, mask = proxy_answers(seen, in_mask)
    for i in (0, 17):
        distance = {}
        for j in range(5, 40):
            both = ~in_mask[:, i] & ~in_mask[:, j]
            if j != i and both.any():
                distance[j] = np.mean((seen[both, i] - seen[both, j]) ** 2)
        nearest = sorted(distance, key=distance.get)[:N_PROXIES]
        expected = np.sort(np.concatenate([seen[in_mask[:, j], j] for j in nearest]))
        np.testing.assert_allclose(np.sort(answers[mask[:, i], i]), expected)


def test_proxies_of_too_few_records_are_refused():
    in_mask = np.zeros((4, 10), dtype=bool)
    in_mask[:2, :2] = True
    with pytest.raises(ValueError, match=r"2 record\(s\) trained a shadow model, and at least 3"):
        proxy_answers(np.zeros((4, 10)), in_mask)


# ---- chance


def simulated(rng, n_models, n, leak=1.0, spread=0.7):
    """(target, shadows, in_mask, is_member): normal logits, means and variances by record."""
    mu, gap = rng.normal(0, 2, n), leak * np.abs(rng.normal(size=n))
    sd = np.exp(rng.normal(0, spread, (2, n)))
    in_mask = half_design(rng, n_models, n)
    is_member = rng.random(n) < 0.5
    draw = lambda mask: (  # noqa: E731
        mu + mask * gap + np.where(mask, sd[1], sd[0]) * rng.normal(size=mask.shape)
    )
    return as_answers(draw(is_member)), as_answers(draw(in_mask)), in_mask, is_member


@pytest.mark.parametrize("n_seeds", [25, pytest.param(200, marks=pytest.mark.slow)])
def test_random_membership_is_at_chance(n_seeds):
    """Leaky shadow models, and a target whose members are a coin's."""
    n, aucs = 160, {name: [] for name in ATTACKS}
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        target, shadows, in_mask, _ = simulated(rng, 8, n)
        coin = rng.permutation(n) < n // 2
        known = np.where(np.arange(n) % 2 == 0, coin, -1).astype(int)
        for name, attack in ATTACKS.items():
            score = attack._score(target, shadows, in_mask, known)
            aucs[name].append(roc_auc_score(coin[known < 0], score[known < 0]))
    sizes = n // 4, n // 4
    sd = np.sqrt((sum(sizes) + 1) / (12 * np.prod(sizes)))
    for name, found in aucs.items():
        inside = np.mean(np.abs(np.array(found) - 0.5) < 1.96 * sd)
        assert inside > 0.95 - 3 * np.sqrt(0.95 * 0.05 / n_seeds), name
        assert abs(np.mean(found) - 0.5) < 3.5 * sd / np.sqrt(n_seeds), name


def left_out(matrix, attack, rng):
    """Return the AUC of an attack over all models as targets, half of whose members are known."""
    aucs = []
    for _, view, is_member in matrix.leave_one_out():
        known = rng.permutation(len(is_member)) < len(is_member) // 2
        fitted = attack.fit(view[known], is_member[known])
        aucs.append(roc_auc_score(is_member[~known], fitted.decision_function(view[~known])))
    return np.mean(aucs)


@pytest.mark.parametrize("balanced", [True, False])
def test_a_model_without_a_leak_left_out_is_at_chance(balanced):
    """Though a record that trained it trained one fewer of the others in a balanced design."""
    found = {name: [] for name in ATTACKS}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        logit = rng.normal(0, 2, 300) + rng.normal(size=(8, 300))
        in_mask = half_design(rng, 8, 300) if balanced else rng.random((8, 300)) < 0.5
        rest = rng.permutation(8)[:, None]  # of independent coins, two of each kind and more
        few = np.minimum(in_mask.sum(axis=0), (~in_mask).sum(axis=0)) < 3
        in_mask = np.where(few, rest % 2 == 0, in_mask)
        answers = as_answers(logit)
        matrix = ShadowMatrix(in_mask, answers[..., 0], answers[..., 1])
        for name in ("LiRA", "BaVarIA", "RMIA", "BASE", "label-only LiRA", "LiRA, proxy"):
            found[name].append(left_out(matrix, ATTACKS[name], rng))
    for name, aucs in found.items():
        if aucs:
            assert abs(np.mean(aucs) - 0.5) < 4 * np.std(aucs, ddof=1) / np.sqrt(5) + 0.004, name


def test_the_naive_way_to_leave_a_model_out_is_below_chance():
    """Why `leave_one_out` leaves two out: the same models, the target alone left out."""
    aucs = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        answers = as_answers(rng.normal(0, 2, 300) + rng.normal(size=(8, 300)))
        in_mask = half_design(rng, 8, 300)
        others = in_mask[1:], answers[1:]
        score = LiRAAttack()._score(answers[0], others[1], others[0], None)
        aucs.append(roc_auc_score(in_mask[0], score))
    assert np.mean(aucs) < 0.5 - 3 * np.std(aucs, ddof=1) / np.sqrt(20)


# ---- strength


@pytest.mark.parametrize("n_models", [4, 8])
def test_bavaria_is_at_least_as_strong_as_lira_where_answers_are_normal(n_models):
    rivals = ("LiRA", "LiRA, pooled", "LiRA, per record")
    ours = ("BaVarIA", "BaVarIA, Gaussian", "BaVarIA, pooled")
    aucs = {name: [] for name in (*rivals, *ours, "LiRA, offline", "BaVarIA, offline")}
    for seed in range(4):
        for spread in (0.0, 0.5, 1.0):
            rng = np.random.default_rng(seed)
            *given, is_member = simulated(rng, n_models, 1500, spread=spread)
            for name in aucs:
                aucs[name].append(roc_auc_score(is_member, ATTACKS[name]._score(*given, None)))
    mean = {name: np.mean(found) for name, found in aucs.items()}
    assert min(mean[name] for name in ours) >= max(mean[name] for name in rivals), mean
    assert mean["BaVarIA"] == max(mean.values())
    assert mean["BaVarIA, offline"] >= mean["LiRA, offline"]


def test_proxies_add_to_offline_scores_where_records_are_alike():
    """Records of a kind share their gap: what one says of models with it, the others may say."""
    aucs = {name: [] for name in ("LiRA", "LiRA, offline", "LiRA, proxy", "BaVarIA, proxy")}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        mu = rng.normal(0, 2, 1200)
        gap, in_mask = np.where(mu < 0, 2.5, 0.2), half_design(rng, 8, 1200)
        is_member = rng.random(1200) < 0.5
        shadows = mu + in_mask * gap + rng.normal(size=(8, 1200))
        target = mu + is_member * gap + rng.normal(size=1200)
        for name, found in aucs.items():
            score = ATTACKS[name]._score(as_answers(target), as_answers(shadows), in_mask, None)
            found.append(roc_auc_score(is_member, score))
    mean = {name: np.mean(found) for name, found in aucs.items()}
    assert min(mean["LiRA, proxy"], mean["BaVarIA, proxy"]) > mean["LiRA, offline"] + 0.01, mean


# ---- figures of the page


def test_figures_of_the_page_are_those_of_the_results():
    root = Path(__file__).parents[1] / "docs"
    page = (
        (root / "attacks.md").read_text("utf-8").split("### One matrix", 1)[1].split("### LiRA's")
    )
    runs, checked = None, 0
    for line in page[0].splitlines():
        cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        if len(cells) != 5:
            continue
        if cells[0].startswith("TPR at 1 % FPR, "):
            data = cells[0].removeprefix("TPR at 1 % FPR, ")
            file = root / "results" / f"scores-{data}.json"
            runs = json.loads(file.read_text("utf-8"))["tables"]["runs"]
        elif runs is not None and "±" in line:
            for n_models, cell in zip((4, 8, 16, 64), cells[1:]):
                name = f"{data}, {n_models} models: {cells[0]}"
                found = 100 * np.array([r["TPR at 1 % FPR"] for r in runs if r["data"] == name])
                assert cell == f"{found.mean():.1f} ± {found.std(ddof=1):.1f} %", name
                checked += 1
    assert checked >= 50
