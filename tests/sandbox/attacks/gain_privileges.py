# Become another user or take capabilities.
claim("setuid", lambda: os.setuid(0))
claim("setgid", lambda: os.setgid(0))
claim("setgroups", lambda: os.setgroups([0]))
claim("setresuid", lambda: os.setresuid(1000, 1000, 1000))
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
claim("capset", lambda: call(126, header, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)))
claim("ambient", lambda: call(157, 47, 2, 21, 0, 0))
claim("chown", lambda: (open("mine", "w"), os.chown("mine", 0, 0)))
claim("map users", lambda: open("/proc/self/uid_map", "w").write("0 0 1"))
if libc.prctl(39, 0, 0, 0, 0) != 1 or os.getuid() != os.geteuid() or os.getuid() == 0:
    won.append("identity")
