# Start other programs, set-user-id ones among them, to shed the filter or gain rights.
import subprocess, sys

program = "import ctypes,os;l=ctypes.CDLL(None);print(os.geteuid(), l.unshare(0x10000000), l.syscall(425,8,ctypes.create_string_buffer(256)))"
told = subprocess.run(["/proc/self/exe" if not sys.executable else sys.executable, "-S", "-c", program], capture_output=True, text=True)
result["python"] = told.stdout.split()
if told.stdout.split()[1:] != ["-1", "-1"]:
    won.append(told.stdout + told.stderr)
shell = subprocess.run(["/bin/sh", "-c", "id -u; unshare -r true && echo NEW"], capture_output=True, text=True, check=False)
result["shell"] = shell.stdout.split()
if "NEW" in shell.stdout or "0" in shell.stdout.split():
    won.append(shell.stdout)
for name in ("su", "mount", "passwd", "chsh", "newgrp", "sudo", "pkexec", "fusermount3", "newuidmap", "bwrap"):
    if os.path.exists(f"/usr/bin/{name}"):
        run = subprocess.run([f"/usr/bin/{name}", "-c", "id"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if "uid=" in run.stdout:
            won.append(name)
