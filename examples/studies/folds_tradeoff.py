"""The out-of-fold defense by folds and repeats: leak, accuracy and cost; small classes, labels."""

from functools import partial

from tqdm.auto import tqdm

from examples.studies._data import tables
from examples.studies._fold_settings import nearness, play
from examples.studies.out_of_fold import N, chosen
from sklearn_aeppt._remember import open_memory, remembered
from sklearn_aeppt.paper._experiments import summary

N_SEEDS = 1
#: Folds -> repeats that are compared.
SETTINGS = {3: (5, 10), 10: (3,), 5: (6,)}


def run(scale="paper", seed=0, data=None, dataset=None, memory=None):
    """Return rows per model, setting and seed: attackers, utility, number of models.

    Records and attackers are those of `out_of_fold`, with half as many hostile variants; accuracy,
    log loss and ECE are those on twice as many new records. A setting with few repeats is one with
    many less the partitions after the first, and what counts as near is chosen once a model and
    seed, as the default does. "labels": the model's labels are kept, alone and with
    `EqualizedClassifier` around it. "calibration": the default with and without its temperature.
    "width": the default with other widths of the mix.
    """
    smoke = scale != "paper"
    bits = [] if data is None else [name for name in tables(data) if name == "location30"]
    names = ["forest", *bits, "short texts", "boosting"]
    names = ["forest"] if smoke else chosen(names, smoke, dataset)
    settings = {3: (1, 10), 2: (1,)} if smoke else SETTINGS
    seeds = range(seed, seed + (1 if smoke else N_SEEDS))
    memory = open_memory(memory)
    n = 150 if smoke else N
    jobs = [(s, name, cv) for s in seeds for cv in settings for name in names]
    found: dict = {}
    for s, name, cv in tqdm(jobs, desc="folds, trade-off"):
        near = remembered(memory, partial(nearness, name, s, data, n))()
        job = name, s, data, n, cv, settings[cv], near
        for title, rows in remembered(memory, partial(play, *job))().items():
            found.setdefault(title, []).extend(rows)
    means = {
        f"{title}, mean and standard deviation": summary(rows) for title, rows in found.items()
    }
    return {**{f"runs, {title}": rows for title, rows in found.items()}, **means}
