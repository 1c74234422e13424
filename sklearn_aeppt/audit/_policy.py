"""A policy: how much an audit may find, and how thorough it has to be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from difflib import get_close_matches
from math import inf, isfinite
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from sklearn_aeppt._text import as_text, shown_name
from sklearn_aeppt.audit._presets import PRESETS

MODES = ("exceeds", "excluded")
VERDICTS = ("pass", "fail")
#: Figure that may be limited -> the values of its limit that an attack can exceed.
LIMITS = {
    "excess": (-0.5, 0.5),
    "accuracy": (0.0, 1.0),
    "auc": (0.0, 1.0),
    "tpr_at_0.1_fpr": (0.0, 1.0),
    "tpr_at_0.01_fpr": (0.0, 1.0),
    "tpr_at_0.001_fpr": (0.0, 1.0),
    "canaries": (0.0, 1.0),
    "epsilon": (0.0, inf),
}
RECORDS = ("members", "non_members")
STRUCTURE = ("smallest_leaf", "degrees_of_freedom", "stored_records")
KINDS = ("adaptive", "labels_only", "variants", "per_record")
CHECKS = ("blind", "near_duplicates", "structure", "fitted_on")
#: Records that a slice has on each side, at least, for it to be judged.
MIN_RECORDS = 20


@dataclass(frozen=True)
class Limit:
    """A limit, what counts as above it, and of how many records a slice is judged."""

    limit: float
    mode: str
    min_records: int = MIN_RECORDS


@dataclass(frozen=True)
class Waiver:
    """A rule that may fail until a day, and why."""

    rule: str
    reason: str
    until: date
    where: str | None = None
    by: str | None = None

    def covers(self, row: Mapping[str, Any]) -> bool:
        """Return whether a rule's outcome is among those that are waived."""
        if row["rule"] != self.rule:
            return False
        return self.where in (None, row["where"]) or row["where"].startswith(f"{self.where}=")


@dataclass(frozen=True)
class Policy:
    """What an audit may find, and how thorough it has to be; judged by `apply_policy`.

    Every part is optional, but a policy without a rule is refused. Files hold the same names.

    Parameters
    ----------
    name : str, default="policy"
        What the outcome calls it; of a file without one, the name of the file.
    description : str, default=""
        One line on what it is for.
    mode : {"exceeds", "excluded"}, default="exceeds"
        When a limit fails: "exceeds" if the figure is certainly above it (its lower confidence
        bound is), "excluded" unless it is certainly not above it (its upper confidence bound is
        not). A limit may have a mode of its own.
    not_judged : {"fail", "pass"}, default="fail"
        What a rule counts as that cannot be judged, such as a rate that too few records decide.
    inconclusive : {"pass", "fail"}, default="pass"
        "fail" adds a rule: the verdict of the report is not "inconclusive".
    limits : dict, default={}
        Figure -> limit, or ``{"limit": ..., "mode": ...}``: ``excess`` of the strongest attack over
        the label-only floor (0.02: two points), ``accuracy``, ``auc``, ``tpr_at_0.1_fpr``,
        ``tpr_at_0.01_fpr``, ``tpr_at_0.001_fpr``, ``canaries`` (accuracy on mislabeled records) and
        ``epsilon`` (from one run; has a lower bound only, so that its mode is "exceeds").
    slices : dict, default={}
        Name of a slice, such as "class" -> limit on the strongest attack's accuracy in each of its
        parts, or ``{"limit": ..., "mode": ..., "min_records": ...}``; parts with fewer than
        ``min_records`` (20) on a side are not judged, and none where persons are judged.
    records : dict, default={}
        ``members``, ``non_members``: smallest numbers of records (or of persons, if they are
        judged).
    require : dict, default={}
        ``attacks``: names of attacks that were run. ``kinds``: kinds of which one attack or more
        was run: "adaptive", "labels_only", "variants", "per_record" (calibrated to each record, as
        shadow models do). ``checks``: "blind" (whether both sides are of one distribution was
        looked at; if they are not, no rule counts, see below), "near_duplicates" (at most 1 %),
        "structure" (was looked at), "fitted_on" (a defense was fitted on the audited members).
        ``persons``: True if persons have to be judged, not records.
    structure : dict, default={}
        ``smallest_leaf`` and ``degrees_of_freedom``, at least, and ``stored_records``, at most; see
        `structural_risk`.
    waivers : list of dict, default=[]
        Rules that may fail: ``rule`` (its name), ``reason``, ``until`` (last day, "2027-03-31"),
        and optionally ``where`` (the attack, check, slice or part of it; without it, wherever the
        rule applies) and ``by`` (who signs).

    Raises
    ------
    ValueError
        If a name is not known, a value is of another type or out of range, a waiver has no reason
        or names no rule, or there is no rule at all.

    See Also
    --------
    apply_policy : Judges a report by it.
    load_policy : Reads one from a file or takes a preset.

    Examples
    --------
    >>> from sklearn_aeppt.audit import Policy
    >>> policy = Policy(limits={"excess": 0.02, "auc": {"limit": 0.6, "mode": "excluded"}})
    >>> policy.rules
    ['excess', 'auc']
    >>> Policy(limits={"exces": 0.02})
    Traceback (most recent call last):
    ValueError: policy: limits has no 'exces'; did you mean 'excess'? It has excess, accuracy, ...
    """

    name: str = "policy"
    description: str = ""
    mode: str = "exceeds"
    not_judged: str = "fail"
    inconclusive: str = "pass"
    limits: Mapping[str, Any] = field(default_factory=dict)
    slices: Mapping[Any, Any] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    require: Mapping[str, Any] = field(default_factory=dict)
    structure: Mapping[str, int] = field(default_factory=dict)
    waivers: Iterable[Any] = ()

    def __post_init__(self):
        def keep(name, value):
            object.__setattr__(self, name, value)

        for name in ("name", "description"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"policy: {name}={getattr(self, name)!r} is not a text.")
        for name, values in (("mode", MODES), ("not_judged", VERDICTS), ("inconclusive", VERDICTS)):
            _one_of(getattr(self, name), values, name)
        found = _section(self.limits, "limits", LIMITS)
        keep("limits", {k: self._limit(v, f"limits.{k}", *LIMITS[k]) for k, v in found.items()})
        keep("slices", {
            as_text(k): self._limit(v, f"slices.{shown_name(k, 40)}", 0.0, 1.0, "min_records")
            for k, v in _section(self.slices, "slices").items()
        })  # fmt: skip
        for name, known in (("records", RECORDS), ("structure", STRUCTURE)):
            found = _section(getattr(self, name), name, known)
            keep(name, {k: _count(v, f"{name}.{k}") for k, v in found.items()})
        keep("require", _required(self.require))
        keep(
            "waivers", [self._waiver(w, i) for i, w in enumerate(_listed(self.waivers, "waivers"))]
        )
        if not self.rules:
            raise ValueError(
                "policy: it has no rule, so that any audit passes; give limits, slices, records, "
                "require or structure."
            )

    @property
    def rules(self) -> list[str]:
        """Names of its rules, a list of str: what a waiver can name."""
        found = [*self.limits, *(["slice"] if self.slices else []), *self.records]
        kinds = {"attacks": "attack", "kinds": "kind", "checks": "check"}
        found += [rule for key, rule in kinds.items() if self.require.get(key)]
        found += ["persons"] if self.require.get("persons") else []
        found += [*self.structure, *(["verdict"] if self.inconclusive == "fail" else [])]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, as a file holds them.

        Returns
        -------
        plain : dict
            What ``Policy(**plain)`` makes the same policy of.
        """
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        for key in ("limits", "slices"):
            plain[key] = {name: _plain(limit, key) for name, limit in plain[key].items()}
        plain["waivers"] = [
            {k: str(v) for k, v in vars(waiver).items() if v is not None} for waiver in self.waivers
        ]
        return plain

    def _limit(self, given, where, least, most, *more):
        value = given if isinstance(given, Mapping) else {"limit": given}
        value = _section(value, where, ("limit", "mode", *more))
        if "limit" not in value:
            raise ValueError(f"policy: {where} has no limit: give {{limit: VALUE}}.")
        limit = _number(value["limit"], f"{where}.limit")
        if not least <= limit < most:
            raise ValueError(
                f"policy: {where}: the limit {limit:g} is not in [{least:g}, {most:g}); shares "
                "stand as shares, 0.02 for two points."
            )
        modes = MODES[:1] if where == "limits.epsilon" else MODES  # it has no upper bound
        mode = self.mode if self.mode in modes else modes[0]
        mode = _one_of(value.get("mode", mode), modes, f"{where}.mode")
        least_records = _count(value.get("min_records", MIN_RECORDS), f"{where}.min_records", 1)
        return Limit(limit, mode, least_records)

    def _waiver(self, given, i):
        where = f"waivers[{i}]"
        given = _section(given, where, [one.name for one in fields(Waiver)])
        for key in ("rule", "reason", "until"):
            if key not in given:
                raise ValueError(f"policy: {where} has no {key}: a waiver has rule, reason, until.")
        for key in ("rule", "reason", "where", "by"):
            text = given.get(key, "given")
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"policy: {where}.{key}={text!r} is not a text.")
        if given["rule"] not in self.rules:
            raise ValueError(
                f"policy: {where} names no rule of this policy, "
                f"{_unknown(given['rule'], self.rules)}"
            )
        waiver = Waiver(**{**given, "until": _day(given["until"], f"{where}.until")})
        listed = {"attack": "attacks", "kind": "kinds", "check": "checks"}.get(waiver.rule)
        known = self.require.get(listed, []) if listed else []
        if listed and waiver.where is not None and waiver.where not in known:
            raise ValueError(
                f"policy: {where}.where names none that is required, "
                f"{_unknown(waiver.where, known)}"
            )
        at = f"{waiver.where}="
        if (
            waiver.rule == "slice"
            and waiver.where is not None
            and not any(at.startswith(f"{name}=") for name in self.slices)
        ):
            raise ValueError(
                f"policy: {where}.where names no slice, "
                f"{_unknown(at.partition('=')[0], list(self.slices))}"
            )
        return waiver


def load_policy(policy: Policy | Mapping[str, Any] | str | PathLike[str]) -> Policy:
    """Return a policy: a preset, what a file holds, or what was given.

    Parameters
    ----------
    policy : {"default", "strict", "sacro", "aisvs"}, path-like, dict or Policy
        The name of a preset; a file that ends in .yaml, .yml (both need PyYAML) or .json; or the
        parameters of `Policy`. A file or dict with ``extends: NAME`` starts from a preset: what it
        gives stands in its place, in `limits`, `slices`, `records`, `require` and `structure` name
        by name; ``null`` takes a name out.

    Returns
    -------
    policy : Policy
        What `apply_policy` judges by.

    Raises
    ------
    ValueError
        If there is no such preset, a file cannot be read, or it is no valid policy.
    ImportError
        If a YAML file is given and PyYAML is not installed.

    See Also
    --------
    Policy : What it may hold.

    Examples
    --------
    >>> from sklearn_aeppt.audit import load_policy
    >>> load_policy("default").rules
    ['excess', 'tpr_at_0.01_fpr', 'tpr_at_0.001_fpr', 'check']
    >>> load_policy({"extends": "default", "limits": {"excess": 0.05}}).limits["excess"].limit
    0.05
    """
    if isinstance(policy, Policy):
        return policy
    if isinstance(policy, Mapping):
        return _from_mapping(policy)
    if isinstance(policy, str) and policy in PRESETS:
        return Policy(name=policy, **PRESETS[policy])
    if not isinstance(policy, (str, PathLike)):
        raise ValueError(
            f"policy={policy!r} is neither a name, a file, a dict nor a Policy: give one of these."
        )
    from sklearn_aeppt.audit._policy_file import ENDINGS, read_mapping

    path = fspath(policy)
    if not path.lower().endswith(ENDINGS):
        raise ValueError(
            f"policy={path!r} is no preset, {_unknown(path, list(PRESETS))} Or give a file that "
            f"ends in {', '.join(ENDINGS)}."
        )
    try:
        return _from_mapping({"name": Path(path).stem, **read_mapping(path)})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _from_mapping(given):
    known = [one.name for one in fields(Policy)]
    given = _section(given, "it", [*known, "extends"])
    base = {}
    if "extends" in given:
        name = _one_of(given.pop("extends"), tuple(PRESETS), "extends")
        base = {"name": f"{name}, changed", **PRESETS[name]}
    for key, value in given.items():
        start = base.get(key)
        if isinstance(start, dict) and isinstance(value, Mapping):
            value = {k: v for k, v in {**start, **value}.items() if v is not None}
        base[key] = value
    return Policy(**base)


def _required(given):
    found = _section(given, "require", ("attacks", "kinds", "checks", "persons"))
    plain: dict[str, Any] = {}
    for key, known in (("attacks", None), ("kinds", KINDS), ("checks", CHECKS)):
        if key in found:
            names = _listed(found[key], f"require.{key}")
            for name in names:
                if not isinstance(name, str):
                    raise ValueError(f"policy: require.{key} holds {name!r}, which is not a text.")
                if known is not None and name not in known:
                    raise ValueError(f"policy: require.{key} knows {_unknown(name, known)}")
            plain[key] = names
    if "persons" in found:
        if not isinstance(found["persons"], bool):
            raise ValueError(
                f"policy: require.persons={found['persons']!r} is neither true nor false."
            )
        plain["persons"] = found["persons"]
    return plain


def _section(given, where, known=None):
    """Return a part of a policy as a dict of its own; refuse names that are not known."""
    if not isinstance(given, Mapping):
        raise ValueError(f"policy: {where} is {given!r}: give names with values.")
    for key in given if known is not None else ():
        if key not in known:
            raise ValueError(f"policy: {where} has {_unknown(key, known)}")
    return dict(given)


def _unknown(name, known):
    """Return that a name is not among those known, and which is meant."""
    known = list(map(str, known))
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    meant = f"; did you mean {near[0]!r}?" if near else ":"
    start = "It" if near else "it"
    return f"no {shown_name(name, 60)!r}{meant} {start} has {', '.join(known) or 'none'}."


def _listed(given, where):
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise ValueError(f"policy: {where}={given!r} is not a list.")
    return list(given)


def _one_of(value, known, where):
    if value not in known:
        raise ValueError(f"policy: {where} is {value!r}: choose from {', '.join(known)}.")
    return value


def _number(value, where):
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"policy: {where}={value!r} is not a number (write 0.001, not 1e-3).")
    return float(value)


def _count(value, where, least=0):
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"policy: {where}={value!r} is not a whole number from {least}.")
    return int(value)


def _day(value, where):
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"policy: {where}={value!r} is not a day such as 2027-03-31.") from None


def _plain(limit, section):
    plain = {"limit": limit.limit, "mode": limit.mode}
    return {**plain, "min_records": limit.min_records} if section == "slices" else plain
