"""The login page: one field, nothing loaded, no script."""

from __future__ import annotations

from typing import Final

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>netwright</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font-family: system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; color: #1f2937 }}
form {{ display: grid; gap: .8rem; width: 22rem }}
input, button {{ font: inherit; padding: .5rem .7rem; border: 1px solid #9ca3af; border-radius: .4rem }}
button {{ background: #2563eb; color: white; border-color: #2563eb }}
.wrong {{ color: #b91c1c }}
</style></head><body>
<form method="post" action="/login">
<h1>netwright</h1>{wrong}
<label for="token">The token that <code>netwright web</code> printed:</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Open</button>
</form></body></html>
"""
_WRONG: Final = '<p class="wrong" role="alert">This is not the token.</p>'


def login_page(*, wrong: bool = False) -> str:
    """The page as HTML.

    Args:
        wrong: whether a wrong token was just given.
    """
    return _PAGE.format(wrong=_WRONG if wrong else "")
