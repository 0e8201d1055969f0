# Write, rename or change modes anywhere but in the scratch.
places = ["/", "/usr", "/usr/lib", "/usr/local", "/dev", "/etc", "/proc", "/sys", "/netwright", "/netwright/handlers"]
places += ["/netwright/inside", "/netwright/site0", "/netwright/python", "/netwright/data", "/var/tmp", "/run", "/root", "/dev/mqueue", "/dev/pts"]
for place in [*places, *payload["folders"]]:
    claim(f"create in {place}", lambda: open(os.path.join(place, payload["name"]), "w"))
for path in ("/netwright/handlers/candidate.py", "/netwright/inside/job.py", "/usr/bin/env", *payload["files"]):
    claim(f"change {path}", lambda: open(path, "a").write("x"))
    claim(f"truncate {path}", lambda: os.truncate(path, 0))
    claim(f"chmod {path}", lambda: os.chmod(path, 0o777))
    claim(f"touch {path}", lambda: os.utime(path))
    claim(f"rename {path}", lambda: os.rename(path, path + ".old"))
