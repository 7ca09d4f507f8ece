"""The lab as the demo uses it: by scripts/lab's commands, like any user."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
from datetime import datetime, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.path.join(ROOT, "scripts", "lab")
# As for scripts/lab, MIGD_BINARY names another build; its folder has the other programs too.
BINARY = os.path.abspath(os.environ.get("MIGD_BINARY")
                         or os.path.join(ROOT, "build", "release", "migd"))


class Failure(Exception):
    """One line for the user."""


class Cluster:
    def __init__(self, name, hosts, serve=None, link=None, user=False, forwarders=1, mtus=(),
                 log_level=None):
        self.name = name
        arguments = ["up", "--name", name, "--hosts", str(hosts),
                     "--forwarders", str(forwarders)]
        arguments += [f"--mtu={mtu}" for mtu in mtus]
        arguments += ["--serve", serve] if serve else []
        arguments += ["--link", link] if link else []
        arguments += ["--user"] if user else []
        arguments += ["--log-level", log_level] if log_level else []
        self._lab(arguments, stdout=subprocess.DEVNULL)
        self.status = json.loads(self._lab(["status", "--name", name, "--json"],
                                           stdout=subprocess.PIPE).stdout)
        self.vip, self.port = self.status["vip"][0], self.status["port"]
        self.folder = self.status["folder"]
        self.hosts = [n["name"] for n in self.status["nodes"] if "host" in n["roles"]]
        self.entry = self.status["nodes"][0]["name"]
        self.admin_sockets = {n["name"]: n["socket"] for n in self.status["nodes"]}

    def _lab(self, arguments, **options):
        done = subprocess.run([LAB, *arguments], text=True, **options)
        if done.returncode != 0:
            raise Failure(f"scripts/lab {arguments[0]} ended with {done.returncode}")
        return done

    def command(self, namespace, *command):
        """The command line that runs `command` in a namespace."""
        return [LAB, "exec", "--name", self.name, namespace, "--", *command]

    def ask(self, method, path, body=None, node=None):
        """Asks the daemon of a node (the entry, when none is named), as `migd conns` and `migd
        migrate` do; a program started beside a transfer would take the processor from it. Returns
        (HTTP status, JSON)."""
        status, answer = self.ask_for_text(method, path, body, node)
        return status, json.loads(answer)

    def ask_for_text(self, method, path, body=None, node=None):
        connection = AdminConnection(self.admin_sockets[node or self.entry])
        try:
            connection.request(method, path, body=json.dumps(body) if body else None)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def down(self):
        subprocess.run([LAB, "down", "--name", self.name, "--keep"], stdout=subprocess.DEVNULL)

    def log_path(self, node):
        return os.path.join(self.folder, f"{node}.log")

    def finished_migrations(self):
        """Every completed migration, from the sources' logs, with wall-clock times in ns."""
        found = []
        for node in self.status["nodes"]:
            with open(self.log_path(node["name"]), encoding="utf-8", errors="replace") as log:
                found += [m for m in map(parse_finished, log) if m]
        return sorted(found, key=lambda m: m["frozen_ns"])


class AdminConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("migd", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def parse_finished(line):
    if "event=migration_finished" not in line or "outcome=completed" not in line:
        return None
    fields = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', line))
    logged = datetime.strptime(fields["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    logged_ns = int((logged - datetime.fromtimestamp(0, timezone.utc)).total_seconds() * 1e6) * 1000
    at = {stage: int(float(fields[f"{stage}_us"]) * 1000)
          for stage in ("frozen", "activated", "released")}
    return {"connection": fields["connection"], "epoch": int(fields["epoch"]),
            "source": fields["source"], "target": fields["target"],
            "blob_bytes": int(fields["blob_bytes"]),
            "freeze_ns": at["activated"] - at["frozen"],
            "frozen_ns": logged_ns - (at["released"] - at["frozen"]),
            "activated_ns": logged_ns - (at["released"] - at["activated"])}


class Capture:
    """migd-capture at the client's interface; use as a context."""

    def __init__(self, cluster, path):
        self.path = path
        program = os.path.join(os.path.dirname(BINARY), "migd-capture")
        self.command = cluster.command("client", program, "eth0", path)
        self.drops = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        if "ready" not in self.process.stderr.readline():
            raise Failure("the capture did not start: " + self.process.stderr.read().strip())
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=60)
        self.drops = json.loads(output)["drops"]
