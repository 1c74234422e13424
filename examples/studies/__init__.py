"""Comparisons and benchmarks, run from a checkout: ``python -m examples.studies NAME``."""

from importlib import import_module

from sklearn_aeppt.paper._experiments import find, run_experiment

#: Name -> what it shows; each is the ``run`` of the module of its name.
STUDIES = {
    "accusations": "false discoveries, the bound from one run, and the blind baseline over seeds",
    "adaptive": "AEPPT under the paper's attacker and under adaptive ones",
    "attacks": "our attacks on outputs compared with those of two toolboxes",
    "bound": "how often the bound on the advantage fails, on models whose outputs have atoms",
    "canaries": "the out-of-fold defense against shadow models: ordinary and mislabeled records",
    "combinations": "models and records of other libraries: what each tool makes of them",
    "control": "models that leak nothing: false alarms, and what the equalized defense changes",
    "defenses": "every defense against the strongest attack retrained on its outputs",
    "dp": "defended outputs compared with models trained with differential privacy (Opacus)",
    "equalized": "the equalized defense compared with the others: what each leaves and costs",
    "folds_cost": "the out-of-fold defense: time and memory of queries, and what their time tells",
    "folds_index": "the out-of-fold defense: the approximate search compared with the exact one",
    "folds_jobs": "the out-of-fold defense: training by two jobs compared with one",
    "folds_tradeoff": "the out-of-fold defense by folds and repeats: leak, accuracy, kept labels",
    "frontier": "the L1 of every defense against the least that any defense needs",
    "gate": "how often --fail-above fails a model that leaks nothing, and one that leaks",
    "hardening": "load tests: many rows and classes, threads, processes, forks, hours of calls",
    "increments": "AEPPT by increments: time against matrix products, and the same vectors",
    "oracles": "the equalized defense against variants, counts of equal outputs, and several keys",
    "out_of_fold": "the out-of-fold defense: attackers below the floor, hostile variants, utility",
    "policies": "how often policies fail a model that leaks nothing, and one that leaks ten points",
    "protection": "non-adaptive and retrained attacks on AEPPT",
    "queries": "a thousand queries about a record and its variants",
    "records": "attacks with shadow models (per record) on every defense",
    "rounds": "AEPPT in rounds, each with substitutes retrained on defended outputs",
    "scores": "every score from one matrix of 4 to 64 shadow models, on the same targets",
    "serving": "a service over HTTP with eight clients, undefended and equalized",
    "shadow": "attacks with shadow models, and their time compared with a toolbox",
    "simplex": "ways to project a perturbed vector onto the simplex, and their cost",
    "speed": "time and memory of the perturbation, of training, and of the equalized defense",
    "worsening": "how often 'compare' finds a planted worsening, and is silent without one",
}


def run_study(name, **options):
    """Run one of `STUDIES` and write its figures, see `run_experiment`."""
    run = import_module(f"{__name__}.{find(name, STUDIES)}").run
    return run_experiment(name, run, f"python -m {__name__} {name}", **options)
