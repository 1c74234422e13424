"""The report of an audit: figures, a verdict in plain words, and what to do next."""

from __future__ import annotations

import html
from base64 import b64encode
from dataclasses import asdict, dataclass, field
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_aeppt._saving import write_text
from sklearn_aeppt._text import as_text, group_name, html_name, picture_name, shown_name, to_json
from sklearn_aeppt.audit._outcome import policy_lines
from sklearn_aeppt.audit._sentences import accused_rows, checks_say, exposed_says
from sklearn_aeppt.metrics import OneRunEpsilon, clopper_pearson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

#: What may be called "no leakage": accuracy above that of random guessing, two points.
TOLERATED = 0.02
CONFIDENCE = 0.95
#: Share of the audited members that a defense has to be fitted on, for them to be its members.
FITTED = 0.9
#: Measures by which an attack is the strongest, and what a report calls them.
MEASURES = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "tpr_at_0.001_fpr": "TPR at 0.1 % FPR",
    "tpr_at_0.01_fpr": "TPR at 1 % FPR",
    "tpr_at_0.1_fpr": "TPR at 10 % FPR",
}


@dataclass
class AuditReport:
    """What attacks achieve on a classifier; made by `audit`.

    Parameters
    ----------
    name : str
        Name of the target.
    results : list of dict
        One for each attack: ``attack`` (its name), ``adaptive``, ``labels_only`` (whether it looks
        at labels alone), ``variants`` (whether it asks about variants of the records),
        ``per_record`` (whether it is calibrated to each record), ``accuracy`` (balanced, 0 to 1),
        ``low`` and ``high`` (its 95 % interval), ``excess`` over the floor, ``excess_low`` and
        ``excess_high`` (bounds on it, each at 95 % for all attacks together, paired record by
        record), ``auc``, ``tpr_at_0.1_fpr``, ``tpr_at_0.01_fpr``, ``tpr_at_0.001_fpr`` and
        ``tnr_at_0.01_fnr`` (None where too few records decide). An attack that could not be
        run is a dict of ``attack`` and ``not_run``, the reason.
    strongest : dict
        The result of the strongest adaptive attack, its interval corrected for having been picked
        (Bonferroni).
    floor : float in [0, 1]
        Balanced accuracy of the label-only (gap) attack on the same records, see
        `sklearn_aeppt.metrics.label_only_floor`.
    train_accuracy : float in [0, 1]
        The target's accuracy on the members.
    test_accuracy : float in [0, 1]
        The target's accuracy on the non-members.
    n_members : int
        Number of members.
    n_non_members : int
        Number of non-members, without those that equal a member.
    defended : bool
        Whether the target is one of this library's output defenses.
    slices : dict of dict of ndarray
        For "class", "answer" (right or wrong) and the slices asked for: the strongest attack
        slice by slice, see `sklearn_aeppt.metrics.per_class_report`.
    at_risk : list of int
        Highest-risk training records: rows of `X_mem` that the strongest attack is surest of; at
        most 20, the surest first.
    canaries : dict, default=None
        Of the suite "full": how well mislabeled records that trained a model of the target's kind
        are told from others (``n``, ``accuracy``, ``low``, ``high``, ``auc``): the worst case.
        None where no such model was trained.
    n_fitted_on : int, default=None
        Number of the audited members that the defense was fitted on; None where that was not
        checked.
    excess_at_least : float, default=-1
        Lower bound at 95 % on the excess of the strongest adaptive attack over the floor, whichever
        that is; by default nothing is known. On each half of the records it judges the attack that
        did best on the other half, so that it can be above every ``excess_low``: these are
        corrected for the number of attacks.
    n_persons : dict, default=None
        ``members`` and ``non_members``: number of persons, where they were judged and not records
        (``groups=``). Then every figure but the accuracies of the target is about persons.
    checks : dict of dict, default={}
        What was looked at before any attack: ``blind``, whether a classifier that never asks the
        target tells members from non-members (``auc``, ``p_value``, ``differs``, ``columns``), and
        ``near_duplicates``, how many of ``n`` non-members are ``near`` a member; and ``structure``,
        what the model itself holds of the members (`structural_risk`). A check that could not be
        run is a dict of ``not_run``, the reason.
    records : dict of ndarray, default={}
        A table of all records that were handed in, members first: ``is_member``, ``row`` (of
        `X_mem` or `X_non`), ``index`` (of the frame), ``scored``, ``score`` (rank within its half,
        0 to 1, by an attack picked on the other half), ``p_value`` (conformal, of members),
        ``accused``, and ``person`` where `groups` were given.
    epsilon : dict, default=None
        What one run shows of epsilon, see `sklearn_aeppt.metrics.OneRunEpsilon`: it holds if a coin
        decided for each record whether it trained the target. None where no guess could be made.
    policy : dict, default=None
        The policy that the report was judged by and the outcome, see `apply_policy`; None without.

    Attributes
    ----------
    ran : list of dict
        The `results` of the attacks that were run.
    not_run : list of dict
        The `results` of those that could not be run.
    from_labels : float in [0, 1]
        Accuracy of the strongest attack that looks at labels alone; at least the floor.
    leakage : {"none", "inconclusive", "labels", "confidences"}
        "confidences" where an attack certainly exceeds what labels give, in accuracy or in TPR at
        1 % FPR; "labels" where the strongest attack certainly exceeds random guessing; "none"
        where two points of accuracy above random guessing are excluded; "inconclusive" otherwise.
    excess_at_most : float
        Upper bound at 95 % on the largest excess over the floor, corrected for the number of
        attacks.
    strongest_by : dict
        Measure (``accuracy``, ``auc``, ``tpr_at_..._fpr``) -> the result of the adaptive attack
        with the greatest value; measures that too few records decide are left out.
    verdict : str
        One paragraph in plain words.
    worst_case : str
        One sentence on records that stand out; empty without canaries.
    defense_fit : str
        One sentence on whether the defense was fitted on the audited members; empty without a
        defense.
    void : bool
        Whether members can be told from non-members without the target: then no figure says what
        the target gives away.
    before : list of str
        One sentence for each check that has something to say, and for the rates that too few
        records decide.
    accused : list of dict
        The members that are accused at a false discovery rate of 10 %: ``row``, ``index``,
        ``score``, ``p_value``, and ``person``; the surest first.
    exposed : str
        One sentence on the accused; empty where there is no table of records.
    from_one_run : str
        One sentence on epsilon with its ceiling; empty where it was not computed.
    advice : list of str
        What to do next, one sentence each.

    See Also
    --------
    audit : Makes it.
    AuditComparison : Several reports side by side.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
    >>> from sklearn_aeppt.audit import audit
    >>> X, y = load_digits(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> attacks = {"labels": GapAttack(), "loss": ThresholdAttack("loss")}
    >>> report = audit(forest, X[::2], y[::2], X[1::2], y[1::2], attacks, random_state=0)
    >>> report.strongest["attack"], report.leakage
    ('loss', 'confidences')
    >>> [row["attack"] for row in report.ran], report.not_run
    (['labels', 'loss'], [])
    """

    name: str
    results: list[dict[str, Any]]
    strongest: dict[str, Any]
    floor: float
    train_accuracy: float
    test_accuracy: float
    n_members: int
    n_non_members: int
    defended: bool
    slices: dict[Any, dict[str, np.ndarray]]
    at_risk: list[int]
    canaries: dict[str, Any] | None = None
    n_fitted_on: int | None = None
    excess_at_least: float = -1.0
    n_persons: dict[str, int] | None = None
    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, np.ndarray] = field(default_factory=dict)
    epsilon: dict[str, Any] | None = None
    policy: dict[str, Any] | None = None

    @property
    def ran(self) -> list[dict[str, Any]]:
        """The results of the attacks that were run, a list of dict."""
        return [row for row in self.results if "not_run" not in row]

    @property
    def not_run(self) -> list[dict[str, Any]]:
        """The attacks that could not be run, a list of dict of ``attack`` and ``not_run``."""
        return [row for row in self.results if "not_run" in row]

    @property
    def from_labels(self) -> float:
        """What the strongest attack that looks at labels alone reaches; the floor or more."""
        return max([self.floor, *(row["accuracy"] for row in self.ran if row["labels_only"])])

    @property
    def _judged(self) -> list[dict[str, Any]]:
        """The adaptive attacks, or all where there are none."""
        return [row for row in self.ran if row["adaptive"]] or self.ran

    @property
    def excess_at_most(self) -> float:
        """Largest upper bound on the excess of an attack over the floor."""
        return max(row["excess_high"] for row in self._judged)

    @property
    def strongest_by(self) -> dict[str, dict[str, Any]]:
        """Measure -> result of the strongest adaptive attack."""
        known = [m for m in MEASURES if any(row.get(m) is not None for row in self._judged)]
        if "tpr_at_0.01_fpr" in known:  # 10 % is for where records are few
            known.remove("tpr_at_0.1_fpr")
        return {m: max(self._judged, key=lambda row: row.get(m) or 0.0) for m in known}

    @property
    def leakage(self) -> str:
        """``"none"``, ``"inconclusive"``, ``"labels"`` or ``"confidences"``."""
        s = self.strongest
        if s["low"] > max(self.from_labels, 0.5) or self._tail_leaks():
            return "confidences"
        if s["low"] > 0.5:
            return "labels"
        return "none" if s["high"] <= 0.5 + TOLERATED else "inconclusive"

    @property
    def _sizes(self) -> tuple[int, int]:
        """How many members and non-members are judged: records, or persons."""
        n = self.n_persons
        return (n["members"], n["non_members"]) if n else (self.n_members, self.n_non_members)

    @property
    def _what(self) -> str:
        return "persons" if self.n_persons else "records"

    def _tail_leaks(self) -> bool:
        """Whether the confidences certainly identify more members at 1 % FPR than labels do."""
        measure, n = "tpr_at_0.01_fpr", self._sizes[0]
        found = [row for row in self._judged if row.get(measure) is not None]
        labels = [row[measure] for row in found if row["labels_only"]]
        others = [row[measure] for row in found if not row["labels_only"]]
        if not others:
            return False
        level = 1 - 2 * (1 - CONFIDENCE) / len(others)
        low, _ = clopper_pearson(round(max(others) * n), n, level)
        # twice the nominal rate of false alarms, which is estimated from the same records
        return bool(low > max([0.02, *labels]))

    @property
    def verdict(self) -> str:
        """One paragraph in plain words."""
        s, leakage = self.strongest, self.leakage
        best = (
            f"the strongest attack ({shown_name(s['attack'], 60)}) is right about "
            f"{s['accuracy']:.1%} of the {self._what} (interval {s['low']:.1%} to {s['high']:.1%}; "
            "random guessing: 50 %)"
        )
        labels = f"an attack on labels alone reaches {self.floor:.1%}"
        more = [r for r in self.ran if r["labels_only"] and (r["variants"] or r["per_record"])]
        if more:
            of_variants = max(more, key=lambda row: row["accuracy"])["variants"]
            what = "variants of the records" if of_variants else "shadow models"
            labels += f", and {self.from_labels:.1%} with the labels of {what}"
        beyond = 100 * (s["high"] - 0.5)
        if leakage == "none":
            text = f"No leakage found: {best}. More than {beyond:.1f} points are excluded."
        elif leakage == "inconclusive":
            text = (
                f"Inconclusive: {best}. Up to {beyond:.1f} points are not excluded with these "
                f"records; about {self._enough():,} on each side would decide."
            )
        elif leakage == "labels":
            text = (
                f"The labels leak, and nothing shows that the confidences add to it: {best}; "
                f"{labels}. Up to {100 * self.excess_at_most:.1f} points from confidences are not "
                "excluded with these records."
            )
        elif s["low"] > max(self.from_labels, 0.5):
            text = f"The confidences leak: {best}; {labels}. The rest is due to the confidences."
        else:
            text = f"The confidences identify some members with few false alarms: {best}; {labels}."
        if self.void:
            text = (
                "Void: members can be told from non-members without the target, so that no figure "
                f"says what it gives away. As they stand: {text}"
            )
        return text + self._by_other_measures()

    def _enough(self) -> int:
        """Return how many records a side would narrow the interval to what is tolerated."""
        s, n = self.strongest, min(self._sizes)
        return int(np.ceil(n * ((s["high"] - s["accuracy"]) / TOLERATED) ** 2 / 100) * 100)

    @property
    def void(self) -> bool:
        """Whether members can be told from non-members without the target."""
        return bool(self.checks.get("blind", {}).get("differs", False))

    @property
    def before(self) -> list[str]:
        """What the checks before any attack have to say, a list of sentences."""
        return checks_say(self.checks, self._sizes[1], self._what)

    @property
    def accused(self) -> list[dict[str, Any]]:
        """The members that are accused, a list of dict."""
        return accused_rows(self.records)

    @property
    def exposed(self) -> str:
        """One sentence on the accused; empty where there is no table of records."""
        return exposed_says(self.records, self._sizes, self._what) if self.records else ""

    @property
    def from_one_run(self) -> str:
        """One sentence on epsilon with its ceiling; empty where it was not computed."""
        if self.epsilon is None:
            return ""
        return f"From one run, if a coin chose the members: {OneRunEpsilon(**self.epsilon)}."

    def _by_other_measures(self) -> str:
        parts = []
        for measure, row in self.strongest_by.items():
            if measure != "accuracy":
                value = f"{row[measure]:.2f}" if measure == "auc" else f"{row[measure]:.1%}"
                parts.append(f"{MEASURES[measure]} {value} ({shown_name(row['attack'], 40)})")
        return f" By other measures: {', '.join(parts)}." if parts else ""

    @property
    def worst_case(self) -> str:
        """One sentence on records that stand out; empty without canaries."""
        if self.canaries is None:
            return ""
        return (
            f"Worst case: of {self.canaries['n']} mislabeled records, half of which trained a "
            f"model of this kind, an attack tells {self.canaries['accuracy']:.1%} right (interval "
            f"{self.canaries['low']:.1%} to {self.canaries['high']:.1%})."
        )

    @property
    def defense_fit(self) -> str:
        """One sentence on the members that the defense was fitted on; empty without a defense."""
        if self.n_fitted_on is not None:
            of = f"{self.n_fitted_on:,} of the {self.n_members:,}"
            none = ", none of them: are these the same columns, of the same type?"
            return (
                f"The defense was fitted on {of} audited members{'.' if self.n_fitted_on else none}"
            )
        unknown = "Not checked: whether the defense was fitted on the audited members (fitted_on=)."
        return unknown if self.defended else ""

    @property
    def advice(self) -> list[str]:
        """What to do next, a list of sentences."""
        todo = []
        if self.void:
            columns = self.checks["blind"]["columns"]
            todo.append(
                "Draw members and non-members from one distribution and audit again (what differs "
                f"most: {', '.join(shown_name(name, 40) for name in columns)}). Where several "
                "records belong to one person, give groups=."
            )
        if self.n_fitted_on is not None and self.n_fitted_on < FITTED * self.n_members:
            todo.append(
                "Audit members that the defense was fitted on, or fit it on all records that "
                "trained the model: these figures are those of members that it does not know."
            )
        if self.leakage == "confidences":
            todo.append(
                "Show equalized confidences: EqualizedClassifier(model).fit(X, y, is_member=mask)"
                + (", or less than this defense shows." if self.defended else ".")
            )
        if self.leakage in ("labels", "confidences") and self.floor > 0.6:
            todo.append(
                f"Reduce overfitting first: accuracy is {self.train_accuracy:.1%} on members and "
                f"{self.test_accuracy:.1%} on others, and no defense of confidences hides that "
                "gap. Regularize, use more data, or see the trained ones in "
                "sklearn_aeppt.defenses."
            )
        if self.leakage == "none":
            todo.append("Keep the report, and audit again whenever the model is retrained.")
        if self.leakage == "inconclusive":
            todo.append(
                f"Audit with about {self._enough():,} members and as many non-members: with fewer, "
                "leakage of two points cannot be told from chance."
            )
        if not any(row["per_record"] for row in self.ran):
            todo.append('Run attacks="full" for attackers who know how hard each record is.')
        return todo

    def __str__(self) -> str:
        """Return the verdict, the advice and a table as text."""
        lines = [f"{shown_name(self.name)}: {self.verdict}", ""]
        lines += self._sentences()
        lines += [f"- {sentence}" for sentence in self.advice]
        lines += ["", f"{'attack':40}{'accuracy':>10}{'95 % interval':>20}{'above labels':>15}"]
        for row in sorted(self.ran, key=lambda row: -row["accuracy"]):
            between = f"{row['low']:.1%} to {row['high']:.1%}"
            name = shown_name(row["attack"]) + ("" if row["adaptive"] else " *")
            lines.append(f"{name:40}{row['accuracy']:>10.1%}{between:>20}{row['excess']:>+15.1%}")
        if not all(row["adaptive"] for row in self.ran):
            lines.append(
                "* trained on undefended outputs: its loss says little about adaptive attackers"
            )
        for row in self.not_run:
            lines.append(f"{shown_name(row['attack']):40}  not run: {shown_name(row['not_run'])}")
        lines += policy_lines(self.policy)
        return "\n".join(lines)

    def _sentences(self) -> list[str]:
        """Return what stands below the verdict."""
        said = (*self.before, self.worst_case, self.exposed, self.from_one_run, self.defense_fit)
        return [sentence for sentence in said if sentence]

    def records_to_frame(self) -> DataFrame:
        """Return every record that was handed in as a table.

        Returns
        -------
        frame : pandas DataFrame
            The columns of `records`, one row for each member and each non-member. What was not
            scored (left out, or no attack was run on it) has "not scored" in the column ``status``,
            others "accused" or "not accused", and non-members that were scored "reference".

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        frame = pd.DataFrame(self.records)
        tested = np.where(frame["accused"], "accused", "not accused")
        status = np.where(frame["is_member"], tested, "reference")
        return frame.assign(status=np.where(frame["scored"], status, "not scored"))

    def to_frame(self) -> DataFrame:
        """Return the attacks as a table.

        Returns
        -------
        frame : pandas DataFrame
            One row for each of the `results`, the most accurate first, those not run last.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        rows = [{**row, "attack": as_text(row["attack"])} for row in self.results]
        return pd.DataFrame(rows).sort_values("accuracy", ascending=False, ignore_index=True)

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Return the report as JSON text.

        Parameters
        ----------
        path : path-like, default=None
            File to write the text to as well.

        Returns
        -------
        text : str
            The figures, with ``leakage``, ``void``, ``verdict``, ``before``, ``exposed``,
            ``from_one_run``, ``defense_fit``, ``accused`` and ``advice``, without the table of all
            records. What is not finite is null.
        """
        text = to_json(self._contents())
        if path is not None:
            write_text(path, text + "\n")
        return text

    def _contents(self):
        """Return what the report holds and says, as a dict."""
        said = ("leakage", "void", "verdict", "before", "exposed", "from_one_run", "defense_fit",
                "accused", "advice")  # fmt: skip
        held = asdict(self)
        del held["records"]  # one line a record: those that are accused are said
        return {**held, **{key: getattr(self, key) for key in said}}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw every attack's accuracy with its interval, and the floor.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.

        Returns
        -------
        ax : matplotlib Axes
            The axes with the attacks, the most accurate on top; those that are not adaptive are
            marked by an asterisk.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from sklearn_aeppt.displays._plotting import new_axes

        rows = sorted(self.ran, key=lambda row: row["accuracy"])
        not_run = self.not_run
        ax = new_axes(self, ax, figsize=(7, 1.2 + 0.3 * len(self.results)))
        for i, _ in enumerate(not_run):
            ax.text(50, i, "  not run", color="0.4", va="center", fontsize=9)
        for i, row in enumerate(rows, start=len(not_run)):
            color = "#D55E00" if row["adaptive"] else "0.6"
            ax.plot([100 * row["low"], 100 * row["high"]], [i, i], color=color, lw=2)
            ax.plot(100 * row["accuracy"], i, "o", color=color)
        labels = [picture_name(row["attack"]) for row in not_run]
        labels += [picture_name(row["attack"]) + " *" * (not row["adaptive"]) for row in rows]
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(-0.7, len(labels) - 0.3)  # text of a row that was not run sets no limits
        ax.axvline(50, color="0.5", lw=1, ls=":", label="random guessing")
        ax.axvline(100 * self.floor, color="#0072B2", lw=1, ls="--", label="label alone")
        ax.set_xlabel("Attack accuracy (%), with its 95 % interval")
        note = "" if all(row["adaptive"] for row in rows) else "   * non-adaptive"
        ax.set_title(f"{picture_name(self.name)}{note}", loc="left", fontsize=10)
        # inside the axes: it takes no room from them
        ax.legend(loc="lower right", frameon=False).set_in_layout(False)
        return ax

    def to_html(self, path: str | PathLike[str]) -> Path:
        """Write the report as one self-contained HTML file.

        Parameters
        ----------
        path : path-like
            File to write. Without matplotlib it has no pictures.

        Returns
        -------
        path : Path
            The file that was written.
        """
        path = Path(path)
        write_text(path, to_html([self]))
        return path


@dataclass
class AuditComparison:
    """Reports of several targets on the same records, side by side; made by `audit`.

    Parameters
    ----------
    reports : dict of AuditReport
        Name of a target, as it was given -> its report.
    size : dict of float
        Name of a target -> mean L1 (0 to 2) between its confidences and those of the first.

    Attributes
    ----------
    verdicts : list of str
        One paragraph for each target, which starts with its name.

    See Also
    --------
    audit : Makes it when it is given several targets.
    AuditReport : The report of one target.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_aeppt import EqualizedClassifier
    >>> from sklearn_aeppt.attacks import GapAttack, ThresholdAttack
    >>> from sklearn_aeppt.audit import audit
    >>> X, y = load_digits(return_X_y=True)
    >>> forest = RandomForestClassifier(random_state=0).fit(X[::2], y[::2])
    >>> defended = EqualizedClassifier(forest, random_state=0).fit(X[::2], X[1::2])
    >>> targets = {"undefended": forest, "equalized": defended}
    >>> attacks = [GapAttack(), ThresholdAttack("loss")]
    >>> pair = audit(targets, X[::2], y[::2], X[1::2], y[1::2], attacks, random_state=0)
    >>> before, after = (report.strongest["accuracy"] for report in pair.reports.values())
    >>> before > 0.7, after < 0.6
    (True, True)
    >>> pair.size["undefended"]
    0.0
    """

    reports: dict[Any, AuditReport]
    size: dict[Any, float]

    def __str__(self) -> str:
        """Return the table as text, and each verdict."""
        frame = self.to_frame()
        for key in ("target", "strongest attack"):
            frame[key] = [shown_name(name, 40) for name in frame[key]]
        return "\n".join([frame.to_string(index=False), ""] + self.verdicts)

    @property
    def verdicts(self) -> list[str]:
        """One paragraph a target."""
        return [f"{shown_name(name)}: {report.verdict}" for name, report in self.reports.items()]

    def to_frame(self) -> DataFrame:
        """Return the strongest attack on each target as a table.

        Returns
        -------
        frame : pandas DataFrame
            One row for each target, in the order in which they were given.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        keys = ("attack", "accuracy", "low", "high", "excess", "auc", "tpr_at_0.01_fpr")
        rows = [
            {
                "target": as_text(name),
                "mean L1": self.size[name],
                "floor": report.floor,
                **{key: report.strongest[key] for key in keys},
                "attack": as_text(report.strongest["attack"]),
            }
            for name, report in self.reports.items()
        ]
        return pd.DataFrame(rows).rename(columns={"attack": "strongest attack"})

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Return the reports as JSON text.

        Parameters
        ----------
        path : path-like, default=None
            File to write the text to as well.

        Returns
        -------
        text : str
            ``reports`` and ``size``, by the names of the targets.
        """
        parts = {name: report._contents() for name, report in self.reports.items()}
        text = to_json({"reports": parts, "size": self.size})
        if path is not None:
            write_text(path, text + "\n")
        return text

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the strongest attack on each target against its perturbation.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes new ones.

        Returns
        -------
        ax : matplotlib Axes
            The axes with one point for each target, its interval, and the floor of the first.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from sklearn_aeppt.displays._plotting import CYCLE, new_axes

        ax = new_axes(self, ax, figsize=(6.4, 4.4))
        for i, (name, report) in enumerate(self.reports.items()):
            color, s = CYCLE[i % len(CYCLE)], report.strongest
            ax.vlines(self.size[name], 100 * s["low"], 100 * s["high"], color=color)
            ax.plot(
                self.size[name], 100 * s["accuracy"], "osD^v"[i % 5], color=color,
                label=f"{picture_name(name, 24)}: {picture_name(s['attack'], 30)}",
            )  # fmt: skip
        floor = 100 * next(iter(self.reports.values())).floor
        ax.axhline(floor, color="0.2", lw=1, ls="--", label=f"label alone: {floor:.1f} %")
        ax.set_xlabel("Perturbation: mean L1 over records (probability)")
        ax.set_ylabel("Strongest adaptive attack is right (%)")
        ax.legend(frameon=False, fontsize=9).set_in_layout(False)
        return ax

    def to_html(self, path: str | PathLike[str]) -> Path:
        """Write the reports as one self-contained HTML file.

        Parameters
        ----------
        path : path-like
            File to write. Without matplotlib it has no pictures.

        Returns
        -------
        path : Path
            The file that was written.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        head = "<h2>Side by side</h2>" + _embed(self.plot, (7, 4.6), "Attack against perturbation")
        head += _frame_table(self.to_frame())
        path = Path(path)
        write_text(path, to_html(list(self.reports.values()), head))
        return path


STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
.verdict { padding: 1rem 1.2rem; border-left: .5rem solid; background: #f6f6f6; }
.none { border-color: #009E73; } .labels { border-color: #E69F00; }
.confidences { border-color: #D55E00; } .inconclusive { border-color: #777; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child, .reason { text-align: left; }
h2, td:first-child, .reason, p, li { overflow-wrap: anywhere; }
img { max-width: 100%; } .note { color: #555; font-size: .9rem; }
"""


def to_html(reports, head=""):
    """Return one HTML page of several reports."""
    body = ["<h1>Membership inference audit</h1>"]
    body.append(
        "<p class=note>A membership inference attack guesses whether a record was used to train a "
        "model. Each attack below was trained on one half of the records, whose membership it was "
        "given, and scored on the other half, and then the other way round.</p>"
    )
    body.append(head)
    e = html.escape
    for report in reports:
        body.append(f"<h2>{html_name(report.name)}</h2>")
        color = "inconclusive" if report.void else report.leakage
        body.append(f"<p class='verdict {color}'>{e(report.verdict)}</p>")
        body += [f"<p>{e(sentence)}</p>" for sentence in report._sentences()]
        body.append("<h3>What to do</h3><ul>")
        body += [f"<li>{e(sentence)}</li>" for sentence in report.advice] + ["</ul>"]
        body.append(
            f"<p>{report.n_members} members, {report.n_non_members} non-members; accuracy "
            f"{report.train_accuracy:.1%} on members, {report.test_accuracy:.1%} on non-members, "
            f"so that an attack on labels alone reaches {report.floor:.1%}.</p>"
        )
        body.append(_picture(report))
        body.append("<h3>Every attack</h3>" + _attack_table(report))
        for key, table in report.slices.items():
            body.append(f"<h3>Most at risk, by {html_name(key)}</h3>" + _slice_table(table))
        if report.accused:
            body.append("<h3>Accused members</h3>" + _accused_table(report.accused))
        rows = ", ".join(map(str, report.at_risk[:20]))
        body.append(
            f"<p>Members that the strongest attack is surest of (rows of X_mem): {rows}</p>"
        )
    title = e(", ".join(shown_name(report.name, 80) for report in reports))
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f"<meta name=viewport content='width=device-width'><title>Audit: {title}</title>"
        f"<style>{STYLE}</style></head><body>" + "\n".join(body) + "</body></html>\n"
    )


def _picture(report):
    return _embed(report.plot, (8, 1.4 + 0.3 * len(report.results)), "Accuracy of every attack")


def _embed(plot, size, alt):
    """Return what ``plot(ax=...)`` draws as a picture inside the page."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "<p class=note>Pictures need matplotlib: install sklearn-aeppt[plots].</p>"
    figure = Figure(figsize=size, layout="constrained")
    plot(ax=figure.subplots())
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = b64encode(buffer.getvalue()).decode()
    return f"<img alt='{alt}' src='data:image/png;base64,{data}'>"


def _frame_table(frame):
    """Return a frame of names and figures as a table."""

    def cell(value):
        if isinstance(value, str):
            return html_name(value)
        return "too few records" if value is None or np.isnan(value) else f"{value:.3f}"

    head = "".join(f"<th>{html.escape(column)}</th>" for column in frame)
    rows = ("".join(f"<td>{cell(value)}</td>" for value in row) for row in frame.to_numpy(object))
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _attack_table(report):
    head = "<tr><th>attack</th><th>accuracy</th><th>95 % interval</th><th>above labels</th>"
    head += "<th>AUC</th><th>TPR at 1 % FPR</th></tr>"
    lines = []
    for row in sorted(report.ran, key=lambda row: -row["accuracy"]):
        tpr = row["tpr_at_0.01_fpr"]
        lines.append(
            f"<tr><td>{html_name(row['attack'])}{'' if row['adaptive'] else ' *'}</td>"
            f"<td>{row['accuracy']:.1%}</td><td>{row['low']:.1%} to {row['high']:.1%}</td>"
            f"<td>{100 * row['excess']:+.1f} points</td><td>{row['auc']:.3f}</td>"
            f"<td>{'too few records' if tpr is None else f'{tpr:.1%}'}</td></tr>"
        )
    lines += [
        f"<tr><td>{html_name(row['attack'])}</td>"
        f"<td colspan=5 class=reason>not run: {html.escape(shown_name(row['not_run']))}</td></tr>"
        for row in report.not_run
    ]
    note = "" if all(row["adaptive"] for row in report.ran) else (
        "<p class=note>* trained on undefended outputs and unaware of the defense: its loss says "
        "little about adaptive attackers.</p>"
    )  # fmt: skip
    return f"<table>{head}{''.join(lines)}</table>{note}"


def _accused_table(accused, n=20):
    person = "person" in accused[0]
    lines = [
        f"<tr><td>{html_name(row['index'])}</td><td>{row['row']}</td>"
        + (f"<td>{html_name(row['person'])}</td>" if person else "")
        + f"<td>{row['score']:.4f}</td><td>{row['p_value']:.4f}</td></tr>"
        for row in accused[:n]
    ]
    head = "<tr><th>index</th><th>row of X_mem</th>" + "<th>person</th>" * person
    head += "<th>score</th><th>p-value</th></tr>"
    more = len(accused) - n
    rest = f"<p class=note>And {more:,} more: report.accused, or the JSON.</p>" if more > 0 else ""
    return f"<table>{head}{''.join(lines)}</table>{rest}"


def _slice_table(table, n=10):
    order = np.argsort(-np.nan_to_num(table["low"], nan=-1), kind="stable")[:n]
    lines = [
        f"<tr><td>{html_name(group_name(table['class'][i]))}</td><td>{table['n_members'][i]}</td>"
        f"<td>{table['n_non_members'][i]}</td><td>{table['accuracy'][i]:.1%}</td>"
        f"<td>{table['low'][i]:.1%} to {table['high'][i]:.1%}</td></tr>"
        for i in order
        if not np.isnan(table["accuracy"][i])
    ]
    head = "<tr><th></th><th>members</th><th>non-members</th><th>accuracy</th><th>95 %</th></tr>"
    return f"<table>{head}{''.join(lines)}</table>"
