# Read this process's own memory, by the kernel, for what an earlier candidate left in the worker.
reader, writer = os.pipe()
os.set_blocking(writer, False)
needle = payload["left"].encode()  # as the host changed it: the other candidate's text with one bit flipped
flipped = bytes(byte ^ 1 for byte in range(256))
places = {id(object()), id(needle), ctypes.addressof(ctypes.create_string_buffer(8)), id(payload), id(os)}
seen = 0
for place in places:
    for page in range((place >> 12) - 6000, (place >> 12) + 6000):
        try:
            got = libc.write(writer, ctypes.c_void_p(page << 12), ctypes.c_size_t(4096))
        except OSError:
            continue
        if got <= 0:
            continue
        seen += 1
        if needle in os.read(reader, 4096).translate(flipped):
            won.append(hex(page << 12))
result["pages"] = seen
