"""Handlers that run inside the sandbox. They import torch, torchvision, numpy and the standard library only.

The worker puts this folder on ``sys.path`` and imports the modules as top-level ones, so that the package
itself (and what it can reach) is absent there.
"""
