"""What is a missing value, whoever made it."""

from decimal import Decimal
from numbers import Number

import numpy as np


def is_missing(value):
    """Return whether a value is missing: None, a NaN of any type of number, NaT, or pandas' NA.

    pandas need not be there to name its missing values.
    """
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):  # a signaling NaN refuses to be compared
        return value.is_nan()
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return isinstance(value, Number) and bool(value != value)
