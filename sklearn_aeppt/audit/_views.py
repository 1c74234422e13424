"""What a target shows of the records, asked as the attacks of an audit need it, each thing once."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_aeppt._number_table import is_large, read_numbers, stored_cells
from sklearn_aeppt._precomputed import takes_confidences
from sklearn_aeppt._record_numbers import as_numbers
from sklearn_aeppt._records import record_bytes
from sklearn_aeppt.attacks import BitFlips, GaussianNoise, NoiseLadder, query


class Views:
    """Views of one target, made when an attack asks for them.

    Parameters
    ----------
    target : fitted classifier
    undefended : fitted classifier or None
        The model inside a defended target.
    X, y : records and their labels
    contenders : list of Contender
        Of each kind of view there is one, with the most queries that any of them needs.
    seed : int
        Seeds the variants.
    record_params : dict or None
        What ``fit`` of the target takes for each record.
    """

    def __init__(self, target, undefended, X, y, contenders, seed, record_params=None):
        self.targets = {"shown": target, "undefended": target if undefended is None else undefended}
        self.X, self.y, self.seed, self.record_params = X, y, seed, record_params
        self.n_queries: dict[str | None, int] = {}
        for traits in (contender.traits for contender in contenders):
            kind = traits.needs_variants
            self.n_queries[kind] = max(self.n_queries.get(kind, 1), traits.needs_queries)
        self._views, self._augment = {}, {}

    @property
    def shown(self):
        """The view of single predictions that the target shows."""
        return self._get("shown", 1, None)

    def repeats_differ(self):
        """Return whether the target answers a repeated query in another way."""
        repeats = self._get("shown", self.n_queries[None], None)["repeats"]
        return bool((repeats != repeats[:, :1]).any())

    def learned(self, contender):
        """Return the view that an attack learns from."""
        source = "undefended" if contender.traits.learns_undefended else "shown"
        return self._joined(self._for(source, contender.traits), contender.matrix)

    def asked(self, contender):
        """Return the view that an attack is asked about."""
        return self._joined(self._for("shown", contender.traits), contender.matrix)

    @staticmethod
    def _joined(view, matrix):
        """Return a view with shadow models' answers, and without the records that they replace."""
        if matrix is None:
            return view
        return matrix.join({key: values for key, values in view.items() if key != "X"})

    def lacks(self, traits):
        """Return why the records or the target cannot give what an attack needs, or None."""
        if takes_confidences(self.targets["shown"]):
            if traits.needs_records:
                return "it needs the records, and only their confidences are given"
            if traits.needs_queries > 1 and traits.needs_variants:
                return "it queries variants of records, and there is no model to query"
        if traits.needs_records == "numeric" and as_numbers(self.X) is None:
            return "it needs the records as a table of numbers, and these are not numeric"
        if traits.needs_queries > 1 and traits.needs_variants:
            return self._lacks_variants(traits.needs_variants)
        return None

    def _lacks_variants(self, kind):
        if kind not in VARIATIONS:
            raise ValueError(
                f"needs_variants={kind!r} of an attack: give one of {', '.join(VARIATIONS)}, None."
            )
        if kind not in self._augment:
            steps = VARIATIONS[kind](self.X)
            self._augment[kind] = steps and accepted(self.targets["shown"], self.X, steps)
        if self._augment[kind] is None:
            return "it queries variants of records, and these hold no numbers to perturb"
        return None if self._augment[kind] else "the target rejects variants of its records"

    def _for(self, source, traits):
        if traits.needs_queries == 1:
            return self._get(source, 1, None)
        return self._get(source, self.n_queries[traits.needs_variants], traits.needs_variants)

    def _get(self, source, n_queries, kind):
        target = self.targets[source]
        source = "shown" if target is self.targets["shown"] else source
        if (source, n_queries, kind) not in self._views:
            options = {"n_queries": n_queries, "record_params": self.record_params}
            if kind is not None:
                options |= {"augment": self._augment[kind], "random_state": self.seed}
            self._views[source, n_queries, kind] = query(target, self.X, self.y, **options)
        return self._views[source, n_queries, kind]


def variation(X):
    """Return how to vary records slightly: bit flips, noise, or None where they are no numbers."""
    if is_large(X):
        values, n_columns = stored_cells(X), X.shape[1]
        if values is None:
            return None
        n_cells = np.prod(X.shape, dtype=np.float64)
    else:
        table = read_numbers(X)
        if table is None or table.columns is not None or len(table.shape) != 2:
            return None
        values, n_columns = table.values, table.shape[1]
        n_cells = values.size
    if ((values == 0) | (values == 1)).all():
        return BitFlips(min(0.5, 2 / n_columns))
    return GaussianNoise(0.1 * (_spread(values, n_cells) or 1.0))


def _spread(values, n_cells):
    """Return the standard deviation of a table's cells out of those that are not zero, or all."""
    finite = np.where(np.isfinite(values), values, np.nan)
    if values.size == n_cells:
        return 0.0 if np.isnan(finite).all() else float(np.nanstd(finite))
    mean, squares = (np.nansum(power) / n_cells for power in (finite, finite**2))
    return float(np.sqrt(max(squares - mean**2, 0.0)))


def ladder(X):
    """Return how to vary records at several scales, or None where nothing in them is a number."""
    numbers = stored_cells(X) if is_large(X) else read_numbers(X)
    if numbers is None:
        return None
    return NoiseLadder(flips=(1, 2) if isinstance(variation(X), BitFlips) else ())


def one_step(X):
    """Return the slight variation as a ladder of one step, or None where nothing is a number."""
    step = variation(X)
    if step is None and ladder(X) is not None:  # some columns of a table, images
        step = GaussianNoise(0.1, relative=True)
    return None if step is None else [step]


#: What `needs_variants` names -> how the records are varied, a list of steps or None.
VARIATIONS = {"noise": one_step, "ladder": ladder}


@dataclass(frozen=True)
class HeldWhole:
    """A way to vary records in which some columns, of codes, stay as they are."""

    step: Callable
    columns: np.ndarray

    def __call__(self, X, rng):
        return read_numbers(X).held(self.step(X, rng), self.columns)


def accepted(target, X, steps):
    """Return those of the ways to vary records that the target can be asked about; warn of others.

    A model of bits or codes may refuse fractions, as one-hot encoding does of unknown values.
    Where it does, and other columns hold fractions, those of whole numbers stay as they are.
    """
    whole = None if is_large(X) else _whole_columns(read_numbers(X))
    some = _safe_indexing(X, np.arange(min(_num_samples(X), 500)))
    taken: list = []
    refused: dict = {}
    for step in steps:
        ways = [step] if whole is None else [step, HeldWhole(step, whole)]
        for way in ways:
            try:
                target.predict_proba(_few_varied(way, some))
            except Exception as error:  # whatever a model or a service raises: for the warning
                refused.setdefault(str(step), error)
            else:
                refused.pop(str(step), None)
                taken.append(way)
                break
    if refused:
        warnings.warn(
            f"The target rejects some variants of records, which are skipped: {refused}.",
            stacklevel=7,
        )
    return taken


def _few_varied(step, some):
    """Return variants of two records; refuse a step that changes none of some."""
    varied = step(some, np.random.RandomState(0))
    if record_bytes(varied) == record_bytes(some):
        raise ValueError("it changes no record: the type of the numbers does not hold such noise")
    return _safe_indexing(varied, np.arange(2))


def _whole_columns(table):
    """Return which columns hold whole numbers only, or None where all do, or none does."""
    if len(table.shape) != 2:
        return None
    whole = ((table.values == np.rint(table.values)) | np.isnan(table.values)).all(axis=0)
    return whole if whole.any() and not whole.all() else None
