"""System calls that Python 3.11 lacks. Each raises OSError with the name of what failed."""
import ctypes
import os
import signal

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags, what):
    _check(_libc.unshare(ctypes.c_int(flags)), f"unshare {what}")


def setns(fd, what):
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(0)), f"setns {what}")


def mount(source, target, kind, flags):
    _check(
        _libc.mount(os.fsencode(source), os.fsencode(target), os.fsencode(kind),
                    ctypes.c_ulong(flags), None),
        f"mount {target}")


def die_with_parent():
    """The calling process is killed when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")


def come_first():
    """Ahead of the machine's other work, where that is allowed: this stands for a machine."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except OSError:
        pass


def namespace_id(path):
    return os.stat(path).st_ino


def run_in_child(function):
    """Runs `function` in a child, which may change its namespaces; raises what it raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            function()
            status = 0
        except OSError as error:
            os.write(writer, str(error.strerror or error).encode())
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        message = stream.read().decode()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise OSError(message or "a helper process failed")
