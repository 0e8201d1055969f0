# Make a system call by the numbers of another architecture, which a filter may not know.
import mmap

code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3" if payload["i386"] else b"\xb8\x27\x00\x00\x40\x0f\x05\xc3")
note("calling")
answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
if answer >= 0:
    won.append(f"getpid gave {answer}")
