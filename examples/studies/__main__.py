"""The command line of the studies."""

import argparse
import sys

from examples.studies import STUDIES, run_study
from sklearn_aeppt.paper._experiments import to_markdown


def main(argv=None):
    """Run the command line; return the exit status (0 fine, 2 bad input)."""
    parser = argparse.ArgumentParser(prog="python -m examples.studies", description="Run a study.")
    parser.add_argument("name", metavar="NAME", help="of a study, or 'list'")
    parser.add_argument("--scale", choices=["smoke", "paper"], default="paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", metavar="FOLDER", help="real records (.npz bit tables)")
    parser.add_argument("--dataset", metavar="NAME", help="of 'equalized': one of its sets")
    parser.add_argument("--out", default="results", metavar="FOLDER")
    options = vars(parser.parse_args(argv))
    name = options.pop("name")
    if name == "list":
        for known, what in STUDIES.items():
            print(f"{known:12} {what}")
        return 0
    try:
        print(to_markdown(run_study(name, **options)))
    except (ValueError, OSError, ImportError) as error:
        print("studies:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
