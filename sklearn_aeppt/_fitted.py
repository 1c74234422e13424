"""Whether an estimator is ready to predict."""

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted


def is_fitted(estimator):
    """Return whether `estimator` is ready to predict; what cannot be fitted at all is."""
    if not hasattr(estimator, "fit"):
        return True
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
