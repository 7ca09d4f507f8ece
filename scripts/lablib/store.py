"""A lab's folder: <runtime>/migd-lab-<uid>/<name>/, readable by its owner only.

    plan.json     what the lab consists of
    state.json    its holder; written when the lab is up
    holder.log    what the holder did
    <node>.toml, <node>.key, <node>.sock, <node>.log, <node>.pid
    www/          the folder that the file server serves
"""
import contextlib
import fcntl
import json
import os
import re
import shutil
import stat

_SOCKET_PATH_MAX = 107


class LabError(Exception):
    """One line for the user."""


def _base():
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = runtime and os.path.isdir(runtime) and os.stat(runtime).st_uid == os.getuid()
    return os.path.join(os.path.realpath(runtime if usable else "/tmp"),
                        f"migd-lab-{os.getuid()}")


def _make_base():
    base = _base()
    with contextlib.suppress(FileExistsError):
        os.mkdir(base, 0o700)
    found = os.lstat(base)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LabError(f"{base}: expected a folder of this user with mode 0700")
    return base


class Store:
    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.basename(folder)

    @staticmethod
    def of(name):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", name):
            raise LabError(f"--name {name}: expected letters, digits, and any of _ . - inside")
        return Store(os.path.join(_base(), name))

    def path(self, file):
        return os.path.join(self.folder, file)

    def exists(self):
        return os.path.isdir(self.folder)

    def create(self):
        _make_base()
        if len(self.path("h30-nginx.sock")) > _SOCKET_PATH_MAX:
            raise LabError(f"{self.folder}: too long a path for UNIX sockets; use a shorter --name")
        os.mkdir(self.folder, 0o700)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def locked(self):
        """One `up` or `down` of this user at a time."""
        fd = os.open(_make_base(), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def read(self, file):
        try:
            with open(self.path(file), encoding="utf-8") as stream:
                return json.load(stream)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, file, value):
        with open(self.path(file) + ".new", "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=1)
        os.rename(self.path(file) + ".new", self.path(file))

    def state(self):
        """The state of a lab that is up, else None."""
        state = self.read("state.json")
        if state and start_time(state["holder"]) == state["holder_start_time"]:
            return state
        return None

    def log_tail(self, file, lines=10):
        try:
            with open(self.path(file), encoding="utf-8", errors="replace") as stream:
                return stream.read().splitlines()[-lines:]
        except FileNotFoundError:
            return []


def start_time(pid):
    """When the process started, which with its pid names it for good; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            fields = stream.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])
