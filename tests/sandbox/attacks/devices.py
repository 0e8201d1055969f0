# Open or make device nodes: disks, memory, the kernel's log, virtual machines, terminals.
import fcntl, stat

for name in ("mem", "kmem", "port", "kmsg", "sda", "vda", "nvme0n1", "dm-0", "loop0", "loop-control", "kvm", "vhost-net",
             "net/tun", "fuse", "uinput", "input/event0", "rtc0", "hpet", "snapshot", "mapper/control", "dri/card0"):
    claim(name, lambda: os.open(f"/dev/{name}", os.O_RDONLY))
for kind, name in ((stat.S_IFBLK, "block"), (stat.S_IFCHR, "character")):
    claim(name, lambda: os.mknod(f"/tmp/{name}", 0o666 | kind, os.makedev(254, 0)))
claim("terminal", lambda: os.open("/dev/tty", os.O_RDWR))
for fd in range(5):
    claim(f"type into {fd}", lambda: fcntl.ioctl(fd, 0x5412, b"x"))
