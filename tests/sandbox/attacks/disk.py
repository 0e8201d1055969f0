# Fill the disk: large files, then many small ones.
written = 0


def fill(folder):
    global written
    for number in range(100):
        with open(f"{folder}/{number}", "wb", buffering=0) as stream:
            while True:
                written += stream.write(b"x" * (1 << 20))


result["errors"] = [attempt(lambda: fill(folder)) for folder in ("/scratch", "/tmp", "/dev/shm")]
result["mib"] = written >> 20
files = 0


def many():
    global files
    while True:
        os.close(os.open(f"/tmp/n{files}", os.O_CREAT | os.O_WRONLY))
        files += 1


os.unlink("/scratch/0")
result["many"] = attempt(many)
