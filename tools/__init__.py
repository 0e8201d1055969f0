"""What can be done: plain typed functions and classes, usable with no agent and no graph."""
