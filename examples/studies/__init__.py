"""Comparisons and benchmarks, run from a checkout: ``python -m examples.studies NAME``."""

from importlib import import_module

from sklearn_aeppt.paper._experiments import find, run_experiment

#: Name -> what it shows; each is the ``run`` of the module of its name.
STUDIES = {
    "adaptive": "AEPPT under the paper's attacker and under adaptive ones",
    "attacks": "our black-box attacks beside those of two toolboxes",
    "bound": "how often the bound on the advantage fails, on models whose outputs have atoms",
    "control": "where nothing leaks: false alarms, and what the equalized defense changes",
    "defenses": "every defense, judged by the strongest attacker that retrains",
    "dp": "defended answers beside models trained with differential privacy (Opacus)",
    "equalized": "the equalized defense beside the others: what each leaves and what it costs",
    "frontier": "every defense against the least perturbation that any needs",
    "hardening": "rows, classes, threads, processes, forks and hours of calls",
    "oracles": "the equalized defense asked cleverly: variants, equal outputs, several keys",
    "protection": "a fixed attacker before and after AEPPT, and one who retrains",
    "queries": "the equalized defense asked a thousand times about a record and its variants",
    "records": "attackers who know how hard each record is, against every defense",
    "rounds": "AEPPT over AEPPT: substitutes retrained on defended answers, in rounds",
    "shadow": "attacks that judge each record, and their time beside a toolbox's",
    "simplex": "ways for the perturbed vector to return to the simplex, and what each costs",
    "speed": "time and memory of the perturbation and of the substitute's training",
}


def run_study(name, **options):
    """Run one of `STUDIES` and write its figures, see `run_experiment`."""
    run = import_module(f"{__name__}.{find(name, STUDIES)}").run
    return run_experiment(name, run, f"python -m {__name__} {name}", **options)
