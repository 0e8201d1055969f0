# Any other way to talk to the kernel's networking: raw packets, netlink, virtual machine sockets, the crypto interface.
for family in range(2, 46):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        claim(f"{family} {kind}", lambda: socket.socket(family, kind))
claim("pair", lambda: socket.socketpair(socket.AF_INET))
