# Listen where the host can connect.
import time

def serve():
    server = socket.socket()
    server.bind(("0.0.0.0", payload["port"]))
    server.listen()
    server.settimeout(2)
    server.accept()

claim("listen", serve)
time.sleep(1)
