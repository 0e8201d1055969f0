# Use io_uring, which does what it is told past every filter of system calls.
parameters = ctypes.create_string_buffer(256)
claim("setup", lambda: call(425, 8, parameters))
claim("enter", lambda: call(426, 0, 0, 0, 0, None, 0))
claim("register", lambda: call(427, 0, 0, None, 0))
