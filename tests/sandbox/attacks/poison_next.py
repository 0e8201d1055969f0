# Change what the next candidate will meet: modules, built-ins, the environment, files, sockets, byte code.
import builtins, sys

import candidate

places = ["/scratch", "/tmp", "/dev/shm", "/dev", "/dev/mqueue", "/usr/lib", "/netwright/handlers/__pycache__", "/run"]
for place in places:
    if os.path.exists(place + "/left-behind"):
        won.append(place)
if hasattr(candidate, "patched") or hasattr(builtins, "patched") or "MARK" in os.environ or "planted" in sys.modules:
    won.append("memory")
candidate.patched = builtins.patched = True
candidate.run = lambda payload, data, note: {"won": ["handler"]}
sys.modules["planted"] = candidate
sys.path.insert(0, "/scratch")
os.environ["MARK"] = "1"
for place in places:
    attempt(lambda: open(place + "/left-behind", "w"))
for path in ("/scratch/json.py", "/tmp/sitecustomize.py", "/scratch/usercustomize.py"):
    attempt(lambda: open(path, "w").write("import builtins; builtins.patched = True"))
server = socket.socket(socket.AF_UNIX)
claim("bound before" if payload["again"] else "", lambda: socket.socket(socket.AF_UNIX).connect("\0left-behind"))
result["bound"] = attempt(lambda: server.bind("\0left-behind"))
server.listen()
result["mask"] = os.umask(0)
