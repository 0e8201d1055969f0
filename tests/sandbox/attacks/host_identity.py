# Tell the host, its owner and its other work apart: names, identifiers, load, mounts, boot line.
import time

paths = ["/etc/machine-id", "/etc/hostname", "/etc/resolv.conf", "/etc/hosts", "/proc/cmdline", "/proc/stat", "/proc/loadavg"]
paths += ["/proc/uptime", "/proc/net/dev", "/proc/self/cgroup", "/proc/self/mountinfo", "/proc/diskstats", "/proc/interrupts"]
paths += ["/proc/schedstat", "/proc/version", "/proc/sys/kernel/random/boot_id", "/sys/class/dmi/id/product_uuid", "/sys/fs/cgroup"]
for path in [*paths, "/run/utmp", "/var/log/lastlog", "/dev/log"]:
    def read():
        data = "".join(os.listdir(path)).encode() if os.path.isdir(path) else text_of(path)
        if not data:
            raise FileNotFoundError(2, path)
    claim(path, read)
result["names"] = [os.uname().nodename, socket.gethostname(), os.environ.get("HOSTNAME", ""), os.getcwd()]
claim("set the clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0))
