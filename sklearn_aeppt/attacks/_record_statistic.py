"""One number an answer, compared with those of shadow models: the base of LiRA and BaVarIA."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_aeppt.attacks._proxies import proxy_answers
from sklearn_aeppt.attacks._record_attack import RecordAttack


class StatisticAttack(RecordAttack):
    """Base class of attacks on one statistic of each answer, its distributions in and out.

    A subclass implements ``_compare(s, outside, inside)``: the statistic of the target's answers,
    and those of the shadow models' with the mask of what counts, for models trained without each
    record and with it; `inside` is None with ``mode="offline"``.
    """

    statistic: str

    _parameter_constraints: dict = {
        **RecordAttack._parameter_constraints,
        "mode": [StrOptions({"online", "offline", "proxy"})],
        "statistic": [StrOptions({"logit", "loss", "confidence"})],
    }

    def _score(self, target, shadows, in_mask, member):
        target, shadows = target[..., :2], shadows[..., :2]
        positive = [a[a > 0].min(initial=1.0) for a in (target, shadows)]
        floor = min(positive) / 2
        s, seen = (self._statistic(answers.clip(floor)) for answers in (target, shadows))
        inside = None
        if self.mode == "online":
            inside = seen, in_mask
        elif self.mode == "proxy":
            inside = proxy_answers(seen, in_mask)
        return self._compare(s, (seen, ~in_mask), inside)

    def _statistic(self, answers):
        mine, others = answers[..., 0], answers[..., 1]
        if self.statistic == "confidence":
            return mine
        return np.log(mine) - np.log(others) if self.statistic == "logit" else np.log(mine)

    def _compare(self, s, outside, inside):
        raise NotImplementedError
