# Stop or kill the worker, the init, the host and everybody else.
import signal

for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGSEGV):
    attempt(lambda: os.kill(1, number))
    attempt(lambda: os.kill(os.getppid(), number))
    attempt(lambda: os.kill(-1, number))
for pid in payload["pids"]:
    claim(f"signal {pid}", lambda: os.kill(pid, 0))
    attempt(lambda: os.kill(pid, signal.SIGKILL))
for pid in range(3, 2000):
    claim(f"signal {pid}", lambda: os.kill(pid, signal.SIGKILL))
