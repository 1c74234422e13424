"""What every defense around one classifier has: its tags, and who takes which metadata."""

from __future__ import annotations

from copy import copy
from inspect import signature

from sklearn.base import MetaEstimatorMixin
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, process_routing

from sklearn_aeppt._compat import routing_enabled


class WrapsClassifier(MetaEstimatorMixin):
    """Mixin of meta-estimators whose ``fit`` hands its parameters to that of `estimator`.

    It stands before `ClassifierMixin`, whose tags are those of a classifier of its own.
    """

    #: Weights are for the wrapped estimator, which requests them or does not.
    __metadata_request__fit = {"sample_weight": UNUSED}

    def _routed(self, fit_params):
        """Return the parameters of the estimator's ``fit``."""
        if routing_enabled():
            return process_routing(self, "fit", **fit_params).estimator.fit
        if "sample_weight" in fit_params and not takes_weights(self.estimator):
            raise ValueError(
                f"sample_weight is given, but {type(self.estimator).__name__}.fit takes none: use "
                "an estimator that does, or pass <step>__sample_weight to a step of a Pipeline."
            )
        return fit_params

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who takes which metadata, see scikit-learn's user guide on metadata routing.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
            That of this defense, whose ``fit`` hands metadata to that of `estimator`.
        """
        training = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=training)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self.estimator, "__sklearn_tags__"):
            wrapped = self.estimator.__sklearn_tags__()
            tags.input_tags = copy(wrapped.input_tags)
            if wrapped.classifier_tags is not None:
                tags.classifier_tags.multi_class = wrapped.classifier_tags.multi_class
                tags.classifier_tags.poor_score = wrapped.classifier_tags.poor_score
        return tags


def takes_weights(estimator):
    """Return whether ``fit`` takes weights of records, or hands on whatever it is given."""
    parameters = signature(estimator.fit).parameters
    hands_on = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return "sample_weight" in parameters or hands_on
