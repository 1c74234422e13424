"""The report of an audit: its figures, its words, and the forms in which it is kept."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sklearn_aeppt._saving import write_text
from sklearn_aeppt._text import as_text, shown_name, to_json
from sklearn_aeppt.audit._file import REPORT, contents, held_by, read_json
from sklearn_aeppt.audit._markdown import model_card, summary
from sklearn_aeppt.audit._outcome import policy_lines
from sklearn_aeppt.audit._page import to_html
from sklearn_aeppt.audit._plots import draw_attacks
from sklearn_aeppt.audit._sacro import to_sacro
from sklearn_aeppt.audit._tables import attack_rows, record_rows, write_table
from sklearn_aeppt.audit._verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


class AuditReport(Verdict):
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
    intervals : dict, default={}
        The 95 % intervals, [low, high], of ``floor``, ``train_accuracy`` and ``test_accuracy``.
    attackers : list of dict, default=[]
        Of each attack, run or not: ``class``, ``parameters``, what it ``sees``, how many
        ``queries`` it makes per record, of the record or ``of`` variants, whether it
        ``reads_records``, how many ``shadow_models`` it trains, and the ``seconds`` it took.
    exposure : dict, default={}
        How many members are ``accused`` (and ``accused_persons``), at which
        ``false_discovery_rate``, and how many records are ``not_scored``.
    control : dict, default=None
        Negative control: what the strongest attack that trains no models finds where membership was
        made up among the non-members (``accuracy``, ``low``, ``high``, ``auc``, ``passed``).
    utility : dict, default=None
        What a defense costs: accuracy, log loss, calibration error and the AUC of confidence, with
        it and without it, on ``members`` and ``non_members``. None for a target without a defense.
    curves : dict, default={}
        Thinned ROC curves and counts of scores, from which the pictures are drawn.
    bundles : dict, default={}
        How often each attack is right in bundles of at least ten records, for `compare_reports`.
    provenance : dict, default={}
        ``versions``, ``seeds``, ``hashes`` of model, records and library, the ``split``, how many
        records were ``left_out``, the ``suite``, and when and with what it was ``made``.
    context : dict of str, default={}
        What the caller says of who, when and what for.
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
    headline : str
        One line: the outcome in a word, and the figures that decide it.
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
    control_says : str
        One sentence on the negative control; empty where it was not run.
    advice : list of str
        What to do next, one sentence each, in Python or for the command line, whichever made the
        report.
    out_of_scope : list of str
        What no audit looks at.

    See Also
    --------
    audit : Makes it.
    AuditComparison : Several reports side by side.
    compare_reports : What got worse since an earlier report.

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

    def __eq__(self, other: object) -> bool:
        """Return whether two reports say the same: arrays have no truth value of their own."""
        if not isinstance(other, AuditReport):
            return NotImplemented
        return self.to_json(records=True) == other.to_json(records=True)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

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

    def to_json(self, path: str | PathLike[str] | None = None, *, records: bool = False) -> str:
        """Return the report as JSON text, of the schema that the documentation describes.

        Parameters
        ----------
        path : path-like, default=None
            File to write the text to as well.
        records : bool, default=False
            Include what is about single records: the table of all `records`, `at_risk` and
            `accused`. Without it the text holds counts and rates only; also row numbers are left
            out, since whoever has the table knows whose they are. The file is readable by its owner
            only.

        Returns
        -------
        text : str
            All fields, and what follows from them (``headline``, ``verdict``, ``leakage``,
            ``advice`` and so on). What is not finite is null.

        See Also
        --------
        from_json : The way back.
        """
        text = to_json(contents(self, records))
        if path is not None:
            write_text(path, text + "\n", private=records)
        return text

    @classmethod
    def from_json(cls, source: str | PathLike[str]) -> AuditReport:
        """Return the report that `to_json` wrote.

        Parameters
        ----------
        source : path-like or str
            The file, or the text itself.

        Returns
        -------
        report : AuditReport
            Equal to the one that was written with ``records=True``. Without, `records` and
            `at_risk` are empty. Labels of slices that JSON does not know are their text.

        Raises
        ------
        ValueError
            If it is no JSON, no report, or one of a version of the schema that is not known here.
        """
        return cls(**held_by(read_json(source, REPORT)))

    def records_to_csv(self, path: str | PathLike[str]) -> Path:
        """Write every record that was handed in as a table of its own, for who must act on it.

        Parameters
        ----------
        path : path-like
            File to write, readable by its owner only: it says who is exposed.

        Returns
        -------
        path : Path
            The file that was written.

        Raises
        ------
        ValueError
            If the report has no table of records, as one that was read from a file without it.
        """
        if not self.records:
            raise ValueError(
                f"The report of {shown_name(self.name, 60)} has no table of records: it was read "
                "from a file without it. Write the table when the audit is run."
            )
        return write_table(path, record_rows(self.records), private=True)

    def to_csv(self, path: str | PathLike[str]) -> Path:
        """Write the attacks as a table.

        Parameters
        ----------
        path : path-like
            File to write; one row for each of the `results`, the most accurate first.

        Returns
        -------
        path : Path
            The file that was written.
        """
        return write_table(path, attack_rows(self.results))

    def to_markdown(self) -> str:
        """Return a summary as Markdown.

        Returns
        -------
        text : str
            Outcome, what to do, every attack, and what can be checked: for the page of a pipeline's
            job or a pull request.
        """
        return summary(self)

    def to_sacro(self) -> str:
        """Return the strongest attack as JSON that the readers of SACRO-ML take.

        Returns
        -------
        text : str
            One section, with the metrics of one repetition under SACRO-ML's names: AUC and its
            p-value, ACC (balanced), FDIF01 and PDIF01, TPR at 0.1 % FPR, the ROC curve.

        Notes
        -----
        SACRO-ML is what several trusted research environments judge models by before release.
        """
        return to_sacro(self)

    def to_model_card(self) -> str:
        """Return a section for a model card.

        Returns
        -------
        text : str
            Markdown, with a heading of the second level, as cards of Hugging Face and of skops are
            written: ``card.add(**{"Privacy": report.to_model_card()})`` adds it to one of skops.
        """
        return model_card(self)

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
        return draw_attacks(self, ax)

    def to_html(self, path: str | PathLike[str], *, records: bool = False) -> Path:
        """Write the report as one self-contained HTML file, made of what its JSON holds.

        Parameters
        ----------
        path : path-like
            File to write.
        records : bool, default=False
            Show the members that are accused, with their index. The file is then readable by its
            owner only.

        Returns
        -------
        path : Path
            The file that was written. It needs no network and no other file.
        """
        path = Path(path)
        write_text(path, to_html([self], records=records), private=records)
        return path
