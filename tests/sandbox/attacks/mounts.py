# Mount something, make a shown folder writable, or move the root.
claim("tmpfs", lambda: call(165, b"tmpfs", b"/tmp", b"tmpfs", 0, None))
claim("proc", lambda: call(165, b"proc", b"/tmp", b"proc", 0, None))
claim("bind", lambda: call(165, b"/usr", b"/tmp", None, 4096, None))
for path in (b"/", b"/usr", b"/netwright/handlers", b"/proc"):
    claim(f"remount {path}", lambda: call(165, None, path, None, 32 | 4096, None))
    claim(f"unmount {path}", lambda: call(166, path, 2))
claim("pivot_root", lambda: call(155, b"/tmp", b"/tmp"))
claim("chroot", lambda: os.chroot("/tmp"))
claim("fsopen", lambda: call(430, b"tmpfs", 0))
claim("open_tree", lambda: call(428, -100, b"/usr", 1))
claim("move_mount", lambda: call(429, -100, b"/usr", -100, b"/tmp", 0))
claim("mount_setattr", lambda: call(442, -100, b"/usr", 0, ctypes.create_string_buffer(32), 32))
