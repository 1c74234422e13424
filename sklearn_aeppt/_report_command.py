"""The commands about finished reports, and what `audit` is told for them."""

import sys
from dataclasses import replace
from pathlib import Path

from sklearn_aeppt._out_file import check_out

#: Endings that `report` writes, and what each is.
FORMS = (".html", ".md", ".csv", ".json")


def add_commands(commands):
    """Add ``report`` and ``compare`` to the commands of a parser; return name -> what runs it."""
    report = commands.add_parser("report", help="show a report of 'audit' again, or check its file")
    report.add_argument("file", metavar="FILE", help="a .json file of 'audit'")
    report.add_argument(
        "--check", action="store_true", help="only check that the file is what its schema says"
    )
    report.add_argument(
        "--out", metavar="FILE", help="page, summary, table of attacks or report to write, by its "
        f"ending ({', '.join(FORMS)})",
    )  # fmt: skip
    report.add_argument(
        "--form",
        choices=["text", "markdown", "card", "sacro"],
        default="text",
        help="what to print, or to write to --out FILE.md or FILE.json: text; a Markdown summary; "
        "a section of a model card; JSON as SACRO-ML writes it (default: text)",
    )
    compare = commands.add_parser("compare", help="what got worse since an earlier report")
    compare.add_argument("old", metavar="OLD", help="the earlier .json file of 'audit'")
    compare.add_argument("new", metavar="NEW", help="the later one")
    compare.add_argument("--format", choices=["text", "markdown", "json"], default="text")
    compare.add_argument(
        "--confidence",
        type=float,
        default=0.99,
        metavar="SHARE",
        help="with which no attack is called worse that is not (default: 0.99, for all together)",
    )
    compare.add_argument(
        "--other-records",
        action="store_true",
        help="the reports are about different records of one population: compare them unpaired",
    )
    return {"report": _report, "compare": _compare}


def add_audit_options(audit):
    """Add to ``audit`` what its report should hold besides the figures."""
    audit.add_argument(
        "--target-yaml",
        metavar="FILE",
        help="a target that SACRO-ML saved, in the place of --model, --members and --non-members; "
        "its pickles need --trust",
    )
    audit.add_argument(
        "--records",
        metavar="FILE",
        help="also write the table of all records (who is exposed) to this .csv file, readable by "
        "you only",
    )
    audit.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what the report should say of who, when and what for; may be given several times",
    )


def load_target(args):
    """Return (model, members, non-members) out of a target that SACRO-ML saved."""
    from sklearn_aeppt.audit._sacro import read_target

    given = [f"--{name.replace('_', '-')}" for name in ("members", "non_members", "model", "target")
             if getattr(args, name) is not None]  # fmt: skip
    if given:
        raise ValueError(
            f"--target-yaml {args.target_yaml} names model and records: leave out "
            f"{', '.join(given)}."
        )
    found = read_target(args.target_yaml, trust=args.trust)
    args.model = str(found["model_path"])  # whose hash the report holds
    return found["model"], (found["X_mem"], found["y_mem"]), (found["X_non"], found["y_non"])


def read_options(args):
    """Return the context that ``audit`` was given, before its work; refuse what cannot be kept."""
    check_out(args.records, (".csv",), flag="--records")
    context = {}
    for given in args.context:
        key, equals, value = given.partition("=")
        if not equals or not key or key in context:
            raise ValueError(f"--context {given}: give KEY=VALUE, each KEY once.")
        context[key] = value
    return context


def finish(report, args):
    """Return the report as the command line made it; write the table that was asked for."""
    from sklearn_aeppt.audit._hashes import describe_file

    made = {**report.provenance["made"], "with": "command line"}
    hashes = report.provenance["hashes"]
    if args.model is not None:
        hashes = {**hashes, "model": describe_file(args.model)}
    report = replace(report, provenance={**report.provenance, "made": made, "hashes": hashes})
    if args.records is not None:
        report.records_to_csv(args.records)
    return report


def read_report(path):
    """Return the report, or the comparison of several targets, in a file."""
    from sklearn_aeppt.audit import AuditComparison, AuditReport
    from sklearn_aeppt.audit._file import COMPARISON, read_json

    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; give a .json file of 'sklearn-aeppt audit'.")
    several = read_json(path, None)["schema"] == COMPARISON
    return (AuditComparison if several else AuditReport).from_json(path)


def _report(args):
    if args.check:
        from sklearn_aeppt.audit._schema import check_file

        version = check_file(args.file)["schema_version"]
        print(f"{args.file}: valid, version {version} of the schema.")
        return 0
    check_out(args.out, FORMS, args.file, read_as="the report")
    report = read_report(args.file)
    if args.out is None:
        print(_in_form(report, args.form))
    else:
        _write(report, args.out, args.form)
    return 0


def _write(report, path, form):
    from sklearn_aeppt._saving import write_text

    ending = Path(path).suffix.lower()
    if ending == ".html":
        report.to_html(path)
    elif ending == ".csv":
        report.to_csv(path)
    elif ending == ".md":
        write_text(path, _in_form(report, "markdown" if form == "text" else form) + "\n")
    elif form == "sacro":
        write_text(path, _in_form(report, form) + "\n")
    else:
        report.to_json(path)


def _in_form(report, form):
    if form == "text":
        return str(report)
    if form == "markdown":
        return report.to_markdown()
    from sklearn_aeppt.audit import AuditReport

    if not isinstance(report, AuditReport):
        raise ValueError(f"--form {form} is for the report on one target, and this is of several.")
    return report.to_model_card() if form == "card" else report.to_sacro()


def _compare(args):
    from sklearn_aeppt.audit import AuditReport, compare_reports

    old, new = (read_report(path) for path in (args.old, args.new))
    for path, report in ((args.old, old), (args.new, new)):
        if not isinstance(report, AuditReport):
            raise ValueError(f"{path} holds several targets: compare reports on one target each.")
    change = compare_reports(
        old, new, confidence=args.confidence, same_records=not args.other_records
    )
    if args.format == "json":
        print(change.to_json())
        print(change.verdict, file=sys.stderr)
    else:
        print(change.to_markdown() if args.format == "markdown" else change)
    return int(bool(change.worse))
