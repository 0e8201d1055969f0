# Crash, so that a file of memory is written somewhere.
import resource

claim("allow core files", lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)) or os.stat("/proc/sys/kernel/core_pattern"))
ctypes.string_at(0)
