"""The command line: ``sklearn-aeppt`` or ``python -m sklearn_aeppt``."""

import argparse
import sys


def main(argv=None):
    """Run the command line; return the exit status (0 fine, 2 bad input)."""
    parser = argparse.ArgumentParser(
        prog="sklearn-aeppt",
        description="Confidences that do not give away whose records trained a classifier.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    demo = commands.add_parser("demo", help="attack a model, protect it, compare")
    demo.add_argument("--data", metavar="FILE", help=".npz (X, y), .csv or .parquet of your own")
    demo.add_argument(
        "--target", metavar="COLUMN", help="column of the class labels (default: last)"
    )
    demo.add_argument("--out", default="aeppt_demo.png", metavar="PNG", help="picture to write")
    demo.add_argument("--seed", type=int, default=0)

    experiment = commands.add_parser("experiment", help="run an experiment, or 'list' them")
    experiment.add_argument("name", nargs="+", metavar="NAME", help="list, NAME or run NAME")
    experiment.add_argument("--scale", choices=["smoke", "paper"], default="paper")
    experiment.add_argument("--seed", type=int, default=0)
    experiment.add_argument("--data", metavar="FOLDER", help="real records (.npz bit tables)")
    experiment.add_argument("--out", default="results", metavar="FOLDER")

    args = parser.parse_args(argv)
    # what a command needs is imported when it is called: help and typing errors answer at once
    try:
        return {"demo": _demo, "experiment": _experiment}[args.command](args)
    except (ValueError, OSError, ImportError) as error:
        print(f"sklearn-aeppt: {error}", file=sys.stderr)
        return 2


def _demo(args):
    from sklearn_aeppt._demo import demo

    print(demo(data=args.data, target=args.target, out=args.out, seed=args.seed))
    return 0


def _experiment(args):
    from sklearn_aeppt.experiments import EXPERIMENTS, run_experiment, to_markdown

    name = args.name[-1]
    if len(args.name) > 2 or (len(args.name) == 2 and args.name[0] != "run"):
        raise ValueError(f"experiment {' '.join(args.name)}: give list, NAME or run NAME.")
    if name == "list":
        for known, what in EXPERIMENTS.items():
            print(f"{known:12} {what}")
        return 0
    options = {"scale": args.scale, "seed": args.seed, "data": args.data, "out": args.out}
    print(to_markdown(run_experiment(name, **options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
