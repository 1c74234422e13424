"""The paper's tables and figures: ``sklearn-aeppt experiment NAME`` runs them."""

#: Name -> what it shows.
EXPERIMENTS = {
    "table2": "the target's accuracy with and without AEPPT",
    "table3": "accuracy, precision and recall of MIM0 for each step size",
    "table4": "MIM0 and the size of the perturbation for each step size",
    "table5": "2, 10, 20, 50 and 100 classes",
    "table7": "adversary models with another architecture, loss or data",
    "table8": "flip, rounding, adversarial training",
    "table9": "MemGuard",
    "figure4": "distributions of members and non-members",
    "figure5": "loss of the substitute per iteration",
    "figure6": "vectors before and after",
    "figure7": "how many records the adversary knows",
    "figure8": "MIM1 to MIM3 for each step size",
    "figure9": "other defenses",
}
