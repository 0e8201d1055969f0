# Follow symbolic and hard links out of the scratch, and swap a folder for a link.
os.makedirs("a", exist_ok=True)
for number, target in enumerate([payload["path"], "/etc/shadow", "/proc/1/root", "/proc/self/cwd/../../etc/shadow"]):
    os.symlink(target, f"link{number}")
    claim(f"read {target}", lambda: text_of(f"link{number}"))
    claim(f"write {target}", lambda: open(f"link{number}", "a").write("x"))
for target in ("/netwright/handlers/candidate.py", "/usr/bin/env", payload["path"]):
    claim(f"hard link {target}", lambda: os.link(target, "hard"))
os.rename("a", "b")
os.symlink("/usr/lib", "a")
claim("write through a swapped folder", lambda: open("a/written", "w"))
