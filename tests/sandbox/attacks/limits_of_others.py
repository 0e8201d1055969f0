# Change the limits, priority or processors of the worker and the host, and raise one's own limits.
import resource

for pid in (1, os.getppid(), *payload["pids"]):
    claim(f"limits of {pid}", lambda: call(302, pid, 7, ctypes.create_string_buffer(16), None))
    attempt(lambda: os.sched_setaffinity(pid, {0}))
    attempt(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt(lambda: call(251, 1, pid, 3 << 13))
attempt(lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19))
attempt(lambda: call(251, 3, os.getuid(), 3 << 13))
for what in (resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE):
    try:
        resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        won.append(f"raised limit {what}")
    except ValueError:
        pass
claim("higher priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20))
