import ctypes, errno, os, socket

libc = ctypes.CDLL(None, use_errno=True)
won = []
result = {"won": won}


def attempt(action):
    """``"allowed"``, or the name of the error that an action met."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "allowed"


def claim(name, action):
    """Note a success of the attack; the error otherwise."""
    told = attempt(action)
    if told == "allowed":
        won.append(name)
    result[name] = told


def call(*arguments):
    """A system call by number (x86_64)."""
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def text_of(path):
    with open(path, "rb") as stream:
        return stream.read(1 << 16)
