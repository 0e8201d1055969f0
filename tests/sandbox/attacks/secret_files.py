# Read what lies around on the host: password hashes, keys, world-readable files of other users.
paths = ["/etc/shadow", "/etc/passwd", "/etc/hostname", "/root", "/home", "/var", "/run/secrets", "/boot", "/opt", "/srv"]
paths += ["/proc/1/root", "/proc/self/root", "/proc/self/mountinfo", "/proc/mounts", "/sys/kernel", "/sys/class/net"]
for path in [*paths, *payload["paths"]]:
    def read():
        data = "".join(os.listdir(path)).encode() if os.path.isdir(path) else text_of(path)
        if not data:
            raise FileNotFoundError(2, path)
    claim(path, read)
