# Connect to an abstract Unix socket of the host, which no file permission guards.
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    claim(f"connect {kind}", lambda: socket.socket(socket.AF_UNIX, kind).connect("\0" + payload["name"]))
