"""Handlers that run inside the sandbox. Plain modules: they import torch and the standard library only."""
