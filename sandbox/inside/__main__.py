"""``python -m inside`` starts the warm worker."""

from .main import main

main()
