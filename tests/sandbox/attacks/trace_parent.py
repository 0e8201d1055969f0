# Trace the worker or the host, or read and write their memory and descriptors.
buffer = ctypes.create_string_buffer(64)
vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 64)
for pid in (1, os.getppid(), *payload["pids"]):
    claim(f"attach {pid}", lambda: call(101, 16, pid, 0, 0))
    claim(f"seize {pid}", lambda: call(101, 0x4206, pid, 0, 0))
    claim(f"read {pid}", lambda: call(310, pid, vector, 1, vector, 1, 0))
    claim(f"write {pid}", lambda: call(311, pid, vector, 1, vector, 1, 0))
    claim(f"memory {pid}", lambda: open(f"/proc/{pid}/mem", "r+b"))
    claim(f"compare {pid}", lambda: call(312, os.getpid(), pid, 0, 0, 0))
    claim(f"take a descriptor of {pid}", lambda: call(438, os.pidfd_open(pid), 0, 0))
