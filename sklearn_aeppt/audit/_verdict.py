"""The verdict of an audit in plain words, and what to do next."""

from __future__ import annotations

from sklearn_aeppt._text import shown_name
from sklearn_aeppt.audit._judgment import MEASURES, Judgment
from sklearn_aeppt.audit._scope import OUT_OF_SCOPE
from sklearn_aeppt.audit._sentences import checks_say, exposed_says
from sklearn_aeppt.audit._terms import COMMAND_LINE, PYTHON, Terms
from sklearn_aeppt.metrics import OneRunEpsilon

#: Share of the audited members that a defense has to be fitted on, for them to be its members.
FITTED = 0.9


#: What a report calls the outcome in a word.
WORDS = {
    "confidences": "LEAKS",
    "labels": "LABELS LEAK",
    "inconclusive": "UNDECIDED",
    "none": "NO LEAK FOUND",
    "void": "VOID",
}


class Verdict(Judgment):
    """The figures of an audit in words."""

    @property
    def _terms(self) -> Terms:
        by_command = self.provenance.get("made", {}).get("with") == "command line"
        return COMMAND_LINE if by_command else PYTHON

    @property
    def headline(self) -> str:
        """The verdict as one word or two, and one line."""
        s, word = self.strongest, WORDS["void" if self.void else self.leakage]
        return (
            f"{word}: the strongest attack tells members from non-members with {s['accuracy']:.1%} "
            f"accuracy; labels alone allow {self.from_labels:.1%}, guessing 50 %."
        )

    @property
    def out_of_scope(self) -> list[str]:
        """What no audit looks at, one sentence each."""
        return list(OUT_OF_SCOPE)

    @property
    def control_says(self) -> str:
        """One sentence on the negative control; empty where it was not run."""
        c = self.control
        if c is None or "not_run" in c:
            return "" if c is None else f"Negative control not run: {c['not_run']}."
        what = (
            f"Negative control: where membership was made up, among {c['n']:,} non-members, "
            f"{shown_name(c['attack'], 60)} is right about {c['accuracy']:.1%} (99 % interval "
            f"{c['low']:.1%} to {c['high']:.1%})"
        )
        if c["passed"]:
            return f"{what}, which is chance, as it must be."
        return (
            f"{what}, which is not chance: equal or related records, or a fault of the attack, "
            "tell it what it should not know. Explain that before relying on these figures."
        )

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

    def _by_other_measures(self) -> str:
        parts = []
        for measure, row in self.strongest_by.items():
            if measure != "accuracy":
                value = f"{row[measure]:.2f}" if measure == "auc" else f"{row[measure]:.1%}"
                parts.append(f"{MEASURES[measure]} {value} ({shown_name(row['attack'], 40)})")
        return f" By other measures: {', '.join(parts)}." if parts else ""

    @property
    def before(self) -> list[str]:
        """What the checks before any attack have to say, a list of sentences."""
        return checks_say(self.checks, self._sizes[1], self._what)

    @property
    def exposed(self) -> str:
        """One sentence on the accused; empty where there is no table of records."""
        return exposed_says(self.exposure, self._sizes, self._what) if self.exposure else ""

    @property
    def from_one_run(self) -> str:
        """One sentence on epsilon with its ceiling; empty where it was not computed."""
        if self.epsilon is None:
            return ""
        return f"From one run, if a coin chose the members: {OneRunEpsilon(**self.epsilon)}."

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
        unknown = (
            "Not checked: whether the defense was fitted on the audited members "
            f"({self._terms.fitted_on})."
        )
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
                f"records belong to one person, {self._terms.groups}."
            )
        if self.n_fitted_on is not None and self.n_fitted_on < FITTED * self.n_members:
            todo.append(
                "Audit members that the defense was fitted on, or fit it on all records that "
                "trained the model: these figures are those of members that it does not know."
            )
        if self.leakage == "confidences":
            todo.append(
                f"Show equalized confidences: {self._terms.protect}"
                + (", or less than this defense shows." if self.defended else ".")
            )
        if self.leakage in ("labels", "confidences") and self.floor > 0.6:
            todo.append(
                f"Reduce overfitting first: accuracy is {self.train_accuracy:.1%} on members and "
                f"{self.test_accuracy:.1%} on others, and no defense of confidences hides that "
                "gap. Regularize, use more data, or see the trained ones in "
                f"{self._terms.trained}."
            )
        if self.leakage == "none":
            todo.append("Keep the report, and audit again whenever the model is retrained.")
        if self.leakage == "inconclusive":
            todo.append(
                f"Audit with about {self._enough():,} members and as many non-members: with fewer, "
                "leakage of two points cannot be told from chance."
            )
        if not any(row["per_record"] for row in self.ran):
            todo.append(f"{self._terms.full} for attackers who know how hard each record is.")
        return todo

    def _sentences(self) -> list[str]:
        """Return what stands below the verdict."""
        said = (*self.before, self.control_says, self.worst_case, self.exposed,
                self.from_one_run, self.defense_fit)  # fmt: skip
        return [sentence for sentence in said if sentence]
