# Ask the Docker daemon, containerd or any other service with a socket file for help.
places = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket"]
for path in [*places, "/run/systemd/private", payload["path"]]:
    claim(path, lambda: socket.socket(socket.AF_UNIX).connect(path))
