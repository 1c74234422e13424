"""Reports of several targets, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn_aeppt._saving import write_text
from sklearn_aeppt._text import as_text, shown_name, to_json
from sklearn_aeppt.audit._file import COMPARISON, SCHEMA_VERSION, contents, held_by, read_json
from sklearn_aeppt.audit._markdown import cell, markdown_table, summary
from sklearn_aeppt.audit._page import side_by_side, to_html
from sklearn_aeppt.audit._pictures import draw_tradeoff as draw_tradeoff_svg
from sklearn_aeppt.audit._plots import draw_tradeoff
from sklearn_aeppt.audit._report import AuditReport
from sklearn_aeppt.audit._tables import attack_rows, write_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


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

    def to_json(self, path: str | PathLike[str] | None = None, *, records: bool = False) -> str:
        """Return the reports as JSON text, of the schema that the documentation describes.

        Parameters
        ----------
        path : path-like, default=None
            File to write the text to as well.
        records : bool, default=False
            Include what is about single records, see `AuditReport.to_json`.

        Returns
        -------
        text : str
            ``reports`` and ``size``, by the names of the targets.
        """
        parts = {name: contents(report, records) for name, report in self.reports.items()}
        head = {"schema": COMPARISON, "schema_version": SCHEMA_VERSION}
        text = to_json({**head, "reports": parts, "size": self.size})
        if path is not None:
            write_text(path, text + "\n", private=records)
        return text

    @classmethod
    def from_json(cls, source: str | PathLike[str]) -> AuditComparison:
        """Return the comparison that `to_json` wrote.

        Parameters
        ----------
        source : path-like or str
            The file, or the text itself.

        Returns
        -------
        comparison : AuditComparison
            With the targets' names as text, and their reports as `AuditReport.from_json` has them.

        Raises
        ------
        ValueError
            If it is no JSON, no comparison, or of a version of the schema that is not known here.
        """
        data = read_json(source, COMPARISON)
        parts = {
            name: AuditReport(**held_by(one, f"the report of {shown_name(name, 60)}"))
            for name, one in data["reports"].items()
        }
        return cls(parts, data["size"])

    def to_csv(self, path: str | PathLike[str]) -> Path:
        """Write the attacks on all targets as a table.

        Parameters
        ----------
        path : path-like
            File to write; one row for each attack on each target.

        Returns
        -------
        path : Path
            The file that was written.
        """
        rows = (
            {"target": name, **row}
            for name, report in self.reports.items()
            for row in attack_rows(report.results)
        )
        return write_table(path, rows)

    def to_markdown(self) -> str:
        """Return a summary as Markdown.

        Returns
        -------
        text : str
            The strongest attack on each target, and the summary of each report.
        """
        head = ["target", "outcome", "strongest attack", "accuracy", "floor", "mean L1"]
        rows = [
            [cell(name, 60), report.headline.partition(": ")[0],
             cell(report.strongest["attack"], 60), f"{report.strongest['accuracy']:.1%}",
             f"{report.floor:.1%}", f"{self.size[name]:.3f}"]
            for name, report in self.reports.items()
        ]  # fmt: skip
        parts = [summary(report, 3) for report in self.reports.values()]
        return "\n\n".join(["## Side by side", markdown_table(head, rows), *parts])

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
        return draw_tradeoff(self, ax)

    def to_html(self, path: str | PathLike[str], *, records: bool = False) -> Path:
        """Write the reports as one self-contained HTML file.

        Parameters
        ----------
        path : path-like
            File to write.
        records : bool, default=False
            Show who is exposed, see `AuditReport.to_html`.

        Returns
        -------
        path : Path
            The file that was written.
        """
        rows = ((name, report, self.size[name]) for name, report in self.reports.items())
        head = side_by_side(rows, draw_tradeoff_svg(self))
        path = Path(path)
        page = to_html(list(self.reports.values()), head, records)
        write_text(path, page, private=records)
        return path
