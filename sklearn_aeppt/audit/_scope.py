"""What an audit does not look at, whatever it finds."""

#: One sentence each, for everyone who might take a report for more than it is.
OUT_OF_SCOPE = (
    "Attribute inference: guessing an unknown value of a known person's record.",
    "Reconstruction and model inversion: making records, or what they look like, from the model.",
    "The weights: whoever has the model's file needs no answers; what the file holds of the "
    "training records is looked at (structure), not attacked.",
    "Property inference: learning something about the training records as a whole.",
    "Poisoning and evasion: attackers who put records into the training, or mislead predictions.",
    "Stealing the model by its answers.",
    "Attackers with means that no attack here has: a report bounds what these attacks achieve, "
    "not what any attack could.",
)
