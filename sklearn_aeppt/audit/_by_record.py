"""What an audit is given for each record: values of the members and of the non-members, by name."""

import numpy as np

from sklearn_aeppt._groups import join_labels
from sklearn_aeppt._text import as_text, distinct_names
from sklearn_aeppt.attacks._fit_params import CONSTANT, FitParams, check_dict, check_length

SIDES = "(values of the members, values of the non-members)"
BUILT_IN = ("class", "answer")  # groups that every report has


def join_slices(slices, sizes):
    """Return name -> group of each record, members first."""
    for name in check_dict("slices", slices, SIDES):
        if as_text(name) in BUILT_IN:
            raise ValueError(
                f"slices[{name!r}] has the name of a group that every report has "
                f"({', '.join(BUILT_IN)}): give it another name."
            )
    return _join("slices", slices, sizes)


def join_groups(groups, sizes):
    """Return the person of each record, members first; None where none are given."""
    if groups is None:
        return None
    if isinstance(groups, dict):  # slices by name are another thing
        raise ValueError(
            f"groups={str(groups)[:80]!r} is a dict: give the person of each record as two arrays, "
            "groups=(persons_mem, persons_non); figures by named part go into slices."
        )
    return _join_sides("groups", "groups=(persons_mem, persons_non)", groups, sizes)


def join_fit_params(fit_params, record_params, sizes):
    """Return as `FitParams` what the target's ``fit`` was given, members first."""
    by_record = _join("record_params", record_params, sizes, CONSTANT)
    constant = check_dict("fit_params", fit_params, "value, the same for all models")
    return FitParams(dict(constant), by_record).checked()


def read_context(context):
    """Return what the caller says of who, when and what for, as text by distinct names."""
    given = check_dict("context", context, "text")
    names: list[str] = distinct_names(given)
    return dict(zip(names, map(as_text, given.values())))


def _join(parameter, given, sizes, hint=""):
    return {
        name: _join_sides(
            f"{parameter}[{name!r}]",
            f"{parameter}={{{name!r}: (values_mem, values_non)}}",
            sides,
            sizes,
            hint,
        )
        for name, sides in check_dict(parameter, given, SIDES).items()
    }


def _join_sides(shown, example, sides, sizes, hint=""):
    if not isinstance(sides, (tuple, list, np.ndarray)) or len(sides) != 2:
        raise ValueError(
            f"{shown} must be two arrays, {SIDES}, got {str(sides)[:80]!r}: give both sides, "
            f"as in {example}."
        )
    for values, n, what in zip(sides, sizes, ("members", "non-members")):
        check_length(shown, values, n, what, hint)
    return join_labels(*sides)
