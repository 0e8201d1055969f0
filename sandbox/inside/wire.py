"""Frames between the host and a warm worker: a small JSON header and an opaque body.

The header is written by trusted code on both sides. The body is a candidate's payload on the way in and a
candidate's result on the way out, and is never looked into on the way.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any

_LENGTHS = struct.Struct(">II")
MAX_HEADER = 1 << 20
"""Bytes. A header holds paths, limits or the tail of an output, so a megabyte is generous."""

MAX_PAYLOAD = 64 << 20
"""Bytes of a job's payload as JSON."""


class Closed(Exception):
    """The other end is gone."""


class Late(Exception):
    """Nothing complete arrived before the deadline."""


class Malformed(Exception):
    """What arrived is not a frame within its limits."""


def send(fd: int, header: dict[str, Any], body: bytes | bytearray = b"") -> None:
    """Write one frame. Raises ``BrokenPipeError`` if the reader is gone."""
    text = json.dumps(header).encode()
    for piece in (_LENGTHS.pack(len(text), len(body)) + text, body):
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]


def receive(fd: int, max_body: int, deadline: float | None = None) -> tuple[dict[str, Any], bytearray]:
    """Read one frame.

    Args:
        fd: file descriptor to read.
        max_body: most bytes of body to accept.
        deadline: ``time.monotonic()`` value after which :class:`Late` is raised; ``None`` waits for ever.

    Raises:
        Closed: end of file, also in the middle of a frame.
        Late: the deadline passed.
        Malformed: a length above its limit, or a header that is not a JSON object.
    """
    header_length, body_length = _LENGTHS.unpack(_exactly(fd, _LENGTHS.size, deadline))
    if header_length > MAX_HEADER or body_length > max_body:
        raise Malformed(f"frame of {header_length} + {body_length} bytes")
    try:
        header = json.loads(bytes(_exactly(fd, header_length, deadline)))
    except ValueError as error:
        raise Malformed(f"header: {error}") from error
    if not isinstance(header, dict):
        raise Malformed("the header is not an object")
    return header, _exactly(fd, body_length, deadline)


def _exactly(fd: int, count: int, deadline: float | None) -> bytearray:
    buffer = bytearray(count)
    view = memoryview(buffer)
    waiter = select.poll()
    waiter.register(fd, select.POLLIN)
    while view:
        if deadline is not None and not waiter.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise Late
        got = os.readv(fd, [view])
        if got == 0:
            raise Closed
        view = view[got:]
    return buffer
