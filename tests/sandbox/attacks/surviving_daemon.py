# Leave a process behind that closes everything and waits.
import time

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(64):
                try:
                    os.close(fd)
                except OSError:
                    pass
            time.sleep(120)
        os._exit(0)
for _ in range(3):
    os.wait()
result["daemons"] = 3
