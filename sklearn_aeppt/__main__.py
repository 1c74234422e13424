"""The command line: ``sklearn-aeppt`` or ``python -m sklearn_aeppt``."""

import argparse
import ast
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from sklearn_aeppt import _report_command
from sklearn_aeppt._out_file import check_out
from sklearn_aeppt._version import __version__

#: The defenses that `protect` offers: named here, so that help does not wait for imports.
DEFENSES = (
    "EqualizedClassifier",
    "AEPPTClassifier",
    "MemGuardClassifier",
    "RoundingClassifier",
    "TemperatureClassifier",
    "TopKClassifier",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0: success, every rule is met or waived; 1: a rule is not met, such as a limit on the leakage;
    2: invalid input, or figures that say nothing of the model; 3: an internal error.
    """
    parser = argparse.ArgumentParser(
        prog="sklearn-aeppt",
        description="Audit a classifier for membership leakage and protect its confidence scores.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    demo = commands.add_parser("demo", help="attack a model, protect it, and compare")
    demo.add_argument("--data", metavar="FILE", help="your own data: .npz (X, y), .csv or .parquet")
    demo.add_argument(
        "--target", metavar="COLUMN", help="column of the class labels (default: last)"
    )
    demo.add_argument("--out", default="aeppt_demo.png", metavar="PNG", help="figure to write")
    demo.add_argument("--seed", type=_seed, default=0)

    experiment = commands.add_parser(
        "experiment", help="reproduce a table or figure of the paper, or 'list' them"
    )
    experiment.add_argument("name", nargs="+", metavar="NAME", help="'list', NAME or 'run NAME'")
    experiment.add_argument("--scale", choices=["smoke", "paper"], default="paper")
    experiment.add_argument("--seed", type=_seed, default=0)
    experiment.add_argument("--data", metavar="FOLDER", help="folder of the data sets")
    experiment.add_argument("--dataset", metavar="NAME", help="cifar100, purchase100, ...")
    experiment.add_argument("--members", type=_count, metavar="N", help="number of members")
    experiment.add_argument("--seeds", type=_count, metavar="N", help="number of seeds")
    experiment.add_argument("--out", default="results", metavar="FOLDER")

    audit = commands.add_parser("audit", help="attack a model and write a report")
    protect = commands.add_parser("protect", help="wrap a model in a defense and save it")
    for command in (audit, protect):
        command.add_argument(
            "--members",
            required=command is protect,
            metavar="FILE",
            help="the model's training records",
        )
        command.add_argument(
            "--non-members",
            required=command is protect,
            metavar="FILE",
            help="records that the model has never seen",
        )
        command.add_argument(
            "--target", metavar="COLUMN", help="column of the labels (default: last)"
        )
        command.add_argument(
            "--trust",
            action="store_true",
            help="also load pickle and joblib files, which execute any code that they contain: "
            "load files from trusted sources only",
        )
        command.add_argument("--seed", type=_seed, default=None)
    audit.add_argument(
        "--model",
        metavar="FILE",
        help="a .skops file; without it, the tables hold the confidences of a model that is served "
        "elsewhere, one column per class",
    )
    audit.add_argument(
        "--fitted-on",
        metavar="FILE",
        help="records that a defense was fitted on as members; the report then says how many of "
        "the audited members are among them",
    )
    audit.add_argument("--attacks", choices=["quick", "standard", "full"], default="standard")
    audit.add_argument("--out", metavar="FILE", help="report to write (.html or .json)")
    audit.add_argument("--format", choices=["text", "json"], default="text")
    limits = audit.add_mutually_exclusive_group()
    limits.add_argument(
        "--policy",
        metavar="FILE|NAME",
        help="judge the report by a policy, a .yaml or .json file or one of default, strict, sacro "
        "and aisvs; exit with status 1 if a rule is not met",
    )
    limits.add_argument(
        "--fail-above",
        type=_share,
        metavar="EXCESS",
        help="a policy of one rule: exit with status 1 if an attack exceeds the label-only floor "
        "by more than EXCESS (0.02: two points) at 95 %% confidence, whichever attack that is",
    )
    audit.add_argument("--junit", metavar="FILE", help="write the outcome as JUnit XML")
    audit.add_argument("--sarif", metavar="FILE", help="write the outcome as SARIF 2.1.0")
    audit.add_argument(
        "--summary",
        metavar="FILE",
        help="append the outcome as Markdown, as to the file that $GITHUB_STEP_SUMMARY names",
    )
    audit.add_argument(
        "--cache", metavar="FOLDER", help="store finished attacks and resume from them"
    )
    audit.add_argument("--jobs", type=_jobs, default=None, help="number of attacks run in parallel")
    _report_command.add_audit_options(audit)
    about_reports = _report_command.add_commands(commands)
    protect.add_argument("--model", required=True, metavar="FILE", help="a .skops file")
    protect.add_argument("--out", required=True, metavar="FILE", help=".skops file to write")
    protect.add_argument(
        "--defense",
        choices=DEFENSES,
        default="EqualizedClassifier",
        help="(default: EqualizedClassifier)",
    )
    protect.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the defense, such as --set cost=l1; may be given several times",
    )

    args = parser.parse_args(argv)
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal cannot show is no failure
        sys.stdout.reconfigure(errors="backslashreplace")
    # what a command needs is imported when it is called: help and typing errors answer at once
    try:
        run = {"demo": _demo, "experiment": _experiment, "audit": _audit, "protect": _protect}
        run |= about_reports
        return run[args.command](args)
    except (ValueError, OSError, ImportError) as error:
        print("sklearn-aeppt:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except Exception:  # no input of theirs: a fault of ours, with all that helps to find it
        traceback.print_exc()
        print(
            "sklearn-aeppt: this is an internal error; please report the lines above.",
            file=sys.stderr,
        )
        return 3
    except KeyboardInterrupt:
        print("sklearn-aeppt: interrupted; --cache keeps finished attacks", file=sys.stderr)
        return 130


def _share(text):
    """Return a limit of the gate that can be exceeded: no attack is half above the floor."""
    value = float(text)
    if not abs(value) < 0.5:
        raise argparse.ArgumentTypeError(f"{text}: give a share below 0.5, 0.02 for two points")
    return value


def _seed(text):
    """Return a seed that numpy takes."""
    return _whole(text, 0, 2**32 - 1)


def _count(text):
    return _whole(text, 1)


def _jobs(text):
    """Return how many processes run; negative ones count from the number of cores, 0 is none."""
    value = _whole(text, -(2**31))
    if value == 0:
        raise argparse.ArgumentTypeError("0 runs nothing: give 1 or more, or -1 for all cores")
    return value


def _whole(text, low, high=None):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < low or (high is not None and value > high):
        to = "or more" if high is None else f"to {high}"
        raise argparse.ArgumentTypeError(f"{text}: give a whole number, {low} {to}")
    return value


def _audit(args):
    from dataclasses import replace

    from sklearn_aeppt.audit import audit
    from sklearn_aeppt.audit._gate import open_gate

    with open_gate(args) as gate:
        check_out(args.out, (".html", ".json"))
        check_folder(args.cache, "--cache")
        context = _report_command.read_options(args)
        model, (X_mem, y_mem), (X_non, y_non), fitted_on = _load(args)
        report = audit(
            model, X_mem, y_mem, X_non, y_non, args.attacks, args.jobs, args.seed,
            name=args.model, memory=args.cache, verbose=1, fitted_on=fitted_on,
            policy=gate.policy, context=context,
        )  # fmt: skip
        report = _report_command.finish(report, args)
        if args.out is not None:
            is_page = args.out.lower().endswith(".html")
            report.to_html(args.out) if is_page else report.to_json(args.out)
        # the outcome goes to the other stream, whatever the format
        print(report.to_json() if args.format == "json" else replace(report, policy=None))
        return gate.judge(report)


def _load(args):
    """Return (model, (X_mem, y_mem), (X_non, y_non), fitted_on) out of the files that were named.

    ``fitted_on`` are the records that --fitted-on names, as the model takes them, or None.
    """
    from sklearn_aeppt._tables import load_sides

    if getattr(args, "target_yaml", None) is not None:
        return *_report_command.load_target(args), None
    if None in (args.members, args.non_members):
        raise ValueError("the following arguments are required: --members, --non-members")
    files = {"--members": args.members, "--non-members": args.non_members}
    if getattr(args, "fitted_on", None) is not None:
        files["--fitted-on"] = args.fitted_on
        if args.model is None:
            raise ValueError(
                f"--fitted-on {args.fitted_on}: without --model the tables hold confidences, which "
                "do not identify records: leave it out."
            )
    check_differ(args.members, args.non_members)
    sides, codes = load_sides(files, args.target)
    if codes:
        read = ", ".join(f"{name} (such as {cell!r})" for name, cell in codes.items())
        print(f"sklearn-aeppt: read as text, since cells are codes: {read}", file=sys.stderr)
    if args.model is None:
        return *_confidences(*sides), None
    return _records(args, files, sides, codes)


def _confidences(members, others):
    """Return a model that says what stands in two tables of confidences, and those, checked."""
    import numpy as np

    from sklearn_aeppt._precomputed import PrecomputedClassifier
    from sklearn_aeppt._tables import as_confidences, check_zeros, match_columns, name_classes

    (X_mem, y_mem), (X_non, y_non) = members, others
    # columns are named after the classes; in an .npz file they are the classes in order
    tables = match_columns({"--members": X_mem, "--non-members": X_non})
    columns = getattr(tables["--members"], "columns", range(X_mem.shape[1]))
    model = PrecomputedClassifier(name_classes(columns, y_mem, y_non))
    X_mem, X_non = as_confidences(tables, getattr(X_mem, "columns", model.classes_))
    if np.array_equal(X_mem, X_non) and np.array_equal(y_mem, y_non):
        raise ValueError(
            "--members and --non-members hold the same confidences and labels, row by row: give "
            "those of records that the model has never seen as --non-members."
        )
    check_zeros(columns, model.classes_, (X_mem, X_non), (y_mem, y_non))
    return model, (X_mem, y_mem), (X_non, y_non)


def _records(args, files, sides, codes):
    """Return the model and the tables as it takes them; it has been asked about all of them."""
    from sklearn_aeppt._ask import check_takes
    from sklearn_aeppt._files import load_model
    from sklearn_aeppt._precomputed import takes_confidences
    from sklearn_aeppt._records import are_among
    from sklearn_aeppt._tables import about_reading, check_known, prepare_records

    model = load_model(args.model, trust=args.trust)
    if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
        raise ValueError(
            f"--model {args.model} holds a {type(model).__name__} without predict_proba or "
            "classes_: give a fitted classifier that has both."
        )
    came = dict(zip(files, (X for X, _ in sides)))
    fitted_on = {name: came.pop(name) for name in ("--fitted-on",) if name in came}
    tables = prepare_records(model, came)
    if fitted_on:
        tables += prepare_records(model, fitted_on, getattr(sides[0][0], "columns", None))
    for (option, path), X, (_, y) in zip(files.items(), tables, sides):
        hint = about_reading(path, codes)
        check_takes(model, X, f"{option} {path}", hint)
        check_known(model, y, f"{option} {path}", hint)
    if not takes_confidences(model) and are_among(tables[1], tables[0]).all():
        raise ValueError(
            f"--non-members {args.non_members} holds no record that is not in --members "
            f"{args.members}: give records that the model has never seen."
        )
    (X_mem, X_non, *rest), (y_mem, y_non) = tables, (y for _, y in sides[:2])
    return model, (X_mem, y_mem), (X_non, y_non), rest[0] if rest else None


def check_differ(members, others):
    """Refuse one file as both sides."""
    if Path(members).exists() and Path(others).exists() and os.path.samefile(members, others):
        raise ValueError(
            f"--members {members} and --non-members {others} are the same file: give the records "
            "that trained the model, and others that it has never seen."
        )


def check_folder(path, option):
    """Refuse a file where a folder is wanted."""
    if path is not None and Path(path).exists() and not Path(path).is_dir():
        raise ValueError(f"{option} {path} is a file: give a folder, which need not exist.")


def _parameters(args, defense):
    """Return the parameters of the defense that --set and --seed give."""
    found = {} if args.seed is None else {"random_state": args.seed}
    # the key would stand in the shell's history, and the model has an option of its own
    known = sorted(set(defense._get_param_names()) - {"estimator", "key", "random_state"})
    for given in args.set:
        name, equals, value = given.partition("=")
        if not equals or name not in known:
            raise ValueError(
                f"--set {given}: give NAME=VALUE, where {args.defense} has the names "
                f"{', '.join(known)}."
            )
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):  # a word
            found[name] = value
    return found


def _protect(args):
    from sklearn_aeppt import defenses
    from sklearn_aeppt._files import import_skops
    from sklearn_aeppt._saving import writing

    check_out(args.out, (".skops",), args.model)
    defense = getattr(defenses, args.defense)
    parameters = _parameters(args, defense)
    model, (X_mem, y_mem), (X_non, y_non), _ = _load(args)
    defended = defense(model, **parameters)
    defended.fit(X_mem, X_non, y_mem=y_mem, y_non=y_non)
    with writing(args.out, private=True) as file:
        import_skops().dump(defended, file)
    secret = "the undefended model" + (" and the key" if hasattr(defended, "key") else "")
    print(
        f"{args.out}: the model wrapped in {args.defense}, readable by you only. It holds "
        f"{secret}: keep it as secret as those, and serve only its predict_proba."
    )
    return 0


def _demo(args):
    # before torch is imported: on a busy machine, the threads of small networks wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if Path(args.out).is_dir():
        raise ValueError(f"--out {args.out} is a folder: give a file in it.")
    from sklearn_aeppt._demo import demo

    print(demo(data=args.data, target=args.target, out=args.out, seed=args.seed))
    return 0


def _experiment(args):
    from sklearn_aeppt.paper import EXPERIMENTS

    name = args.name[-1]
    if len(args.name) > 2 or (len(args.name) == 2 and args.name[0] != "run"):
        raise ValueError(f"experiment {' '.join(args.name)}: give list, NAME or run NAME.")
    if name == "list":
        for known, what in EXPERIMENTS.items():
            print(f"{known:12} {what}")
        return 0
    if name not in EXPERIMENTS:  # here too: a typing error is answered at once
        raise ValueError(f"{name} is not an experiment: choose from {', '.join(EXPERIMENTS)}.")
    check_folder(args.out, "--out")
    check_folder(args.data, "--data")
    from sklearn_aeppt.paper._experiments import to_markdown
    from sklearn_aeppt.paper._run import run_paper

    names = ("scale", "seed", "data", "out", "dataset", "members", "seeds")
    options = {key: getattr(args, key) for key in names}
    print(to_markdown(run_paper(name, **options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
