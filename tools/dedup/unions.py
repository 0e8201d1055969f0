"""Disjoint sets of numbered things: which belong together when pairs of them do."""

from __future__ import annotations


class Unions:
    """The numbers 0…n-1, each alone at first. A set's root is its least number."""

    def __init__(self, count: int) -> None:
        self._up = list(range(count))

    def root(self, one: int) -> int:
        """The least number of a number's set."""
        top = one
        while self._up[top] != top:
            top = self._up[top]
        while self._up[one] != top:
            self._up[one], one = top, self._up[one]
        return top

    def join(self, one: int, other: int) -> int:
        """Make one set of two; its root."""
        low, high = sorted((self.root(one), self.root(other)))
        self._up[high] = low
        return low
