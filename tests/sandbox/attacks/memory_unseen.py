# Take memory that no process owns: shared mappings, memory files, System V segments, pipes and sockets.
import mmap

claim("memfd_create", lambda: os.memfd_create("x"))
claim("memfd_secret", lambda: call(447, 0))
claim("shmget", lambda: call(29, 0, 1 << 30, 0o1600))
claim("msgget", lambda: call(68, 0, 0o1600))
claim("mq_open", lambda: call(240, b"x", os.O_CREAT | os.O_RDWR, 0o600, None))
claim("hugetlb", lambda: mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000))
ends = []
filled = 0
try:
    while True:
        pair = socket.socketpair()
        ends.append(pair)
        pair[0].setblocking(False)
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)
        while True:
            try:
                filled += pair[0].send(b"x" * 65536)
            except BlockingIOError:
                break
except OSError:
    pass
result["buffered_mib"] = filled >> 20
held = mmap.mmap(-1, 1 << 30)
for start in range(0, len(held), 1 << 20):
    held[start : start + (1 << 20)] = b"x" * (1 << 20)
won.append("shared memory above the limit")
