"""What runs inside the sandbox: the warm worker and the fork that holds one candidate.

This package is bound into the sandbox as plain files and run without the rest of netwright, so it
imports the standard library only (and torch where the image asks for it).
"""
