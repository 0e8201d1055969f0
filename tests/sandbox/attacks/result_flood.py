# Send a result without end.
os.write(3, b'{"kind": "ok", "result": {"x": "')
while True:
    os.write(3, b"x" * 65536)
