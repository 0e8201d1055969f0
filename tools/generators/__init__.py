"""Random program generator with textbook priors: the corpus of the embedded model."""
