"""Predict what a network will reach before it is trained: features of its code, boosted trees, calibrated intervals."""
