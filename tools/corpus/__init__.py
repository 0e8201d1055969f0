"""The corpus as a data set: import, export, statistics."""
