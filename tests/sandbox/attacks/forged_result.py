# Answer in place of the handler.
os.write(3, payload["answer"].encode("latin-1"))
if payload["end"]:
    os._exit(0)
