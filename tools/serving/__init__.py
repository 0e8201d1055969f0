"""Serving language models by vLLM, in an environment of its own."""
