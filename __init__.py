"""netwright: language-model agents that design neural networks, judge them by running them, and improve."""

__version__ = "0.1.0"
