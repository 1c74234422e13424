"""The words of a report, explained where they are read."""

GLOSSARY = {
    "Member, non-member": "A record that trained the model; a record of the same kind that did "
    "not.",
    "Membership inference": "Telling members from non-members by what the model answers. Where "
    "being a record is sensitive in itself (patients of a clinic, customers in debt), that is a "
    "breach.",
    "Accuracy": "Share of records that an attack is right about, members and non-members with "
    "equal weight. 50 % is guessing.",
    "Label-only floor": "What an attack reaches that only looks whether the predicted label is "
    "right: models are right about their own records more often. No defense that keeps the labels "
    "can get below it; a model that overfits less can.",
    "Above labels (excess)": "Accuracy less the floor: what the confidences add to the label.",
    "Interval": "Where the true value lies in 95 of 100 such audits.",
    "AUC": "How well a score sorts members before non-members: 0.5 is chance, 1 is perfect.",
    "TPR at 1 % FPR": "Share of members that are found while 1 of 100 non-members is wrongly "
    "called one: few, but nearly certain finds. For a person in the data this matters more than "
    "the average.",
    "Adaptive attack": "One that knows the defense and is trained on what it shows.",
    "Shadow models": "Models of the same kind that an attacker trains, to see what the target "
    "would say of a record that did, or did not, train it.",
    "Epsilon": "The measure of differential privacy. A lower bound says how much the training gave "
    "away at least; its ceiling, how much so few records could show at most.",
    "Negative control": "The same attack where there is nothing to find. If it finds something, "
    "the audit is at fault.",
}
