"""The gate of the command line: a policy, the files that say its outcome, and the exit status."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn_aeppt._saving import write_text
from sklearn_aeppt.audit._outcome import policy_lines
from sklearn_aeppt.audit._policy import Policy, load_policy

if TYPE_CHECKING:
    from sklearn_aeppt.audit._report import AuditReport

#: Outcome of a policy -> exit status.
STATUS = {"pass": 0, "waived": 0, "fail": 1, "void": 2}
#: Errors that are the caller's: the command line exits with status 2, and with 3 for others.
BAD_INPUT = (ValueError, OSError, ImportError)


@dataclass
class Gate:
    """A policy, or None, and where its outcome is written to."""

    policy: Policy | None
    junit: str | None
    sarif: str | None
    summary: str | None
    file: str
    started: float

    @property
    def seconds(self) -> float:
        """Time since the gate was opened."""
        return time.perf_counter() - self.started

    def judge(self, report: AuditReport) -> int:
        """Write and print the outcome of a report that was judged; return the exit status."""
        from sklearn_aeppt.audit import _gate_files as forms

        if self.junit is not None:
            write_text(self.junit, forms.junit(report, self.seconds))
        if self.sarif is not None:
            write_text(self.sarif, forms.sarif(report, self.file))
        self._append(forms.markdown(report))
        if report.policy is None:
            return 0
        print("\n".join(policy_lines(report.policy)), file=sys.stderr)
        return STATUS[report.policy["outcome"]]

    def stumbled(self, error: Exception) -> None:
        """Write that there is no outcome, and why: files of an earlier run would say another."""
        from sklearn_aeppt.audit import _gate_files as forms

        bad = isinstance(error, BAD_INPUT)
        kind, text = ("bad input" if bad else "internal error"), f"{type(error).__name__}: {error}"
        if self.junit is not None:
            write_text(self.junit, forms.junit_of_error(kind, text, self.seconds))
        if self.sarif is not None:
            Path(self.sarif).unlink(missing_ok=True)
        self._append(forms.markdown_of_error(kind, text))

    def _append(self, text):
        if self.summary is not None:
            with open(self.summary, "a", encoding="utf-8") as file:
                file.write(text + "\n")


@contextmanager
def open_gate(args: Namespace) -> Iterator[Gate]:
    """Yield the gate that the options of a command name; an error is written to its files, too.

    Raises
    ------
    ValueError
        If the policy is not valid, or a file cannot be written there.
    """
    for option in ("junit", "sarif", "summary"):
        _check_file(f"--{option}", getattr(args, option))
    gate = Gate(None, args.junit, args.sarif, args.summary, args.model or args.members,
                time.perf_counter())  # fmt: skip
    try:
        yield replace(gate, policy=_policy(args))
    except Exception as error:
        gate.stumbled(error)
        raise


def _policy(args):
    if args.fail_above is not None:
        return Policy(name=f"--fail-above {args.fail_above:g}", limits={"excess": args.fail_above})
    if args.policy is not None:
        return load_policy(args.policy)
    given = [name for name in ("junit", "sarif") if getattr(args, name) is not None]
    if given:
        raise ValueError(f"--{given[0]} holds the outcome of a policy: give --policy, too.")
    return None


def _check_file(option, path):
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise ValueError(f"{option} {path}: there is no such folder; create it first.")
    if path is not None and Path(path).is_dir():
        raise ValueError(f"{option} {path}: this is a folder; give a file.")
