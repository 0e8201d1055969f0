# Reach a service that listens on the host's loopback only, by IPv4 and IPv6, and serve one to the next candidate.
claim("IPv4", lambda: socket.create_connection(("127.0.0.1", payload["port"]), 1))
claim("IPv6", lambda: socket.create_connection(("::1", payload["port"]), 1))
claim("own loopback", lambda: socket.socket().bind(("127.0.0.1", 0)))
