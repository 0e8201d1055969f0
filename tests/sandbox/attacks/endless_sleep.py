# Sleep for ever in a tree of processes of sessions of their own that ignore signals.
import signal, time

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
while True:
    time.sleep(60)
