# Find a secret in the environment of this process, its parents or any other process.
claim("own", lambda: os.environ[payload["name"]] if payload["name"] in os.environ else os.stat("/nowhere"))
for pid in ["self", "1", str(os.getppid()), *map(str, payload["pids"]), "thread-self"]:
    claim(f"environ of {pid}", lambda: text_of(f"/proc/{pid}/environ"))
libc.environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
index = 0
result["environment"] = dict(os.environ)
while libc.environ[index]:
    entry = libc.environ[index].decode()
    result["environment"][f"c{index}"] = entry
    index += 1
