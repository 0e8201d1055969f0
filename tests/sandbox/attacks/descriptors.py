# Use descriptors that were left open, or receive them.
import stat

kinds = {}
for fd in range(1024):
    try:
        kinds[fd] = stat.S_IFMT(os.fstat(fd).st_mode) == stat.S_IFIFO
    except OSError:
        pass
result["kinds"] = kinds
claim("read the result pipe", lambda: os.read(3, 1))
claim("reopen a descriptor", lambda: os.open("/proc/self/fd/3", os.O_RDONLY))
claim("reopen the standard input", lambda: os.open("/dev/fd/0", os.O_RDWR))
