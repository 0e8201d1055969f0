# Print without end.
while True:
    os.write(2, b"x" * 65536)
