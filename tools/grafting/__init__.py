"""Grafting: a block of the library put in place of a stage of a network."""
