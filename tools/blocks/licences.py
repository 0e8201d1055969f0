"""The licence of a source as an SPDX expression, from its metadata or the text of its licence file."""

from __future__ import annotations

from importlib.metadata import PackageMetadata
from typing import Final

_CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
_NAMES: Final = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "mit": "MIT",
    "mit license": "MIT",
}
# Beginnings of licence texts, most telling first.
_TEXTS: Final = (
    ("Apache License", "Apache-2.0"),
    ("Permission is hereby granted, free of charge", "MIT"),
    ("Mozilla Public License", "MPL-2.0"),
    ("GNU AFFERO GENERAL PUBLIC LICENSE", "AGPL-3.0-only"),
    ("GNU LESSER GENERAL PUBLIC LICENSE", "LGPL-3.0-only"),
    ("GNU GENERAL PUBLIC LICENSE", "GPL-3.0-only"),
    ("Neither the name of", "BSD-3-Clause"),
    ("Redistribution and use in source and binary forms", "BSD-2-Clause"),
    ("Creative Commons Attribution-NonCommercial", "CC-BY-NC-4.0"),
)


def licence_of(metadata: PackageMetadata) -> str:
    """The licence that a distribution's metadata names; empty when it names none that is known."""
    expression = _field(metadata, "License-Expression")
    if expression:
        return expression
    for classifier in metadata.get_all("Classifier") or ():
        kind, _, name = str(classifier).rpartition(" :: ")
        if kind.startswith("License") and name in _CLASSIFIERS:
            return _CLASSIFIERS[name]
    told = _field(metadata, "License").strip()
    return _NAMES.get(told.lower(), "") or licence_in(told)


def _field(metadata: PackageMetadata, name: str) -> str:
    found = metadata.get_all(name)
    return str(found[0]) if found else ""


def licence_in(text: str) -> str:
    """The licence that a text is; empty when it is none that is known."""
    flat = " ".join(text[:6000].split())
    return next((name for sign, name in _TEXTS if sign.lower() in flat.lower()), "")
