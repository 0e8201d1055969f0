# Take all memory in one process, page by page.
held = []
while True:
    held.append(bytearray(b"x") * (1 << 20))
