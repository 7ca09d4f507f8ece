"""Runs something inside a lab: a program in one of its namespaces, or a function."""
import contextlib
import errno
import os
import shutil
import signal

from . import daemon, kernel, network
from .store import LabError

_FORWARDED = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1,
              signal.SIGUSR2}


def _join(state):
    """Children of this process are in the lab from now on, and this process sees its files."""
    holder = f"/proc/{state['holder']}/ns"
    folder = os.getcwd()
    try:
        # All are opened before the first is joined: /proc may be another one afterwards.
        with contextlib.ExitStack() as stack:
            opened = {kind: stack.enter_context(open(f"{holder}/{kind}", encoding="ascii"))
                      for kind in ("user", "mnt", "pid")}
            if os.stat("/proc/self/ns/user").st_ino == os.fstat(opened["user"].fileno()).st_ino:
                del opened["user"]  # one may not join the namespace that one is in
            for kind, namespace in opened.items():
                kernel.setns(namespace.fileno(), f"{kind} namespace of the lab")
    except OSError as error:
        raise LabError(f"cannot enter the lab: {error.strerror}") from error
    with contextlib.suppress(OSError):
        os.chdir(folder)


def run_program(state, namespace, command):
    """Runs a program with this one's standard streams; returns its exit code as a shell would."""
    _join(state)
    with open(network.netns_path(namespace), encoding="ascii") as file:
        kernel.setns(file.fileno(), namespace)
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        _become_program(command)
    while True:
        info = signal.sigwaitinfo(_FORWARDED | {signal.SIGCHLD})
        if info.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        elif info.si_code <= 0:  # a terminal (> 0) has told the child itself
            os.kill(child, info.si_signo)


def _become_program(command):
    program = shutil.which(command[0])  # as a shell searches: folders it may not read hold nothing
    try:
        kernel.die_with_parent()
        kernel.come_first()
        daemon.reset_signals()
        if program is None and "/" not in command[0]:
            raise FileNotFoundError(errno.ENOENT, "no such command")
        os.execv(program or command[0], command)
    except OSError as error:
        os.write(2, f"lab: cannot run {command[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
    finally:
        os._exit(126)


def run_function(state, function):
    """Runs a function in a process of the lab; raises LabError with what it raised."""
    _join(state)

    def guarded():
        try:
            function()
        except LabError as error:
            raise OSError("\n".join([str(error)] + getattr(error, "log", []))) from error

    try:
        kernel.run_in_child(guarded)
    except OSError as error:
        raise LabError(str(error)) from error
