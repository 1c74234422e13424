"""What the displays share: colors, axes, legends, checked tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklearn_aeppt._text import picture_name

# Okabe and Ito's palette: told apart with any color vision, and here by line style too.
MEMBER, NON_MEMBER = "#D55E00", "#0072B2"
SIDES = (("members", MEMBER, "-"), ("non-members", NON_MEMBER, "--"))
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
MARKERS = "osD^v"


def new_axes(display, ax, **subplots):
    """Return `ax`, or new axes if it is None; raise ImportError where matplotlib is missing."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", **subplots)[1]


def next_style(ax, gid):
    """Return (number of curves of this kind on `ax`, color and line style of the next one)."""
    n_curves = sum(line.get_gid() == gid for line in ax.lines)
    color, style = CYCLE[n_curves % len(CYCLE)], STYLES[n_curves % len(STYLES)]
    return n_curves, {"color": color, "linestyle": style}


def legend_above(ax, ncols=2):
    """Put the legend over the axes, where it covers no data; long names one under another."""
    labels = ax.get_legend_handles_labels()[1]
    ncols = 1 if max(map(len, labels)) > 16 else ncols
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=ncols, frameon=False, borderpad=0)


def legend_label(name):
    """Return the legend's label of a curve: None stays None, and has no entry."""
    return None if name is None else picture_name(name, 36)


def as_table(values: ArrayLike, name: str) -> np.ndarray:
    """Return `values` as a two-dimensional float64 array that is not empty."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(
            f"{name} has shape {table.shape}: it must be two-dimensional and not empty."
        )
    return table
