# Reach a listening service of the host by TCP and UDP, on every address it has.
for address in payload["addresses"]:
    claim(f"tcp {address}", lambda: socket.create_connection((address, payload["port"]), 1))
    claim(f"udp {address}", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (address, payload["port"])))
claim("resolver", lambda: socket.getaddrinfo("localhost.localdomain", 80))
