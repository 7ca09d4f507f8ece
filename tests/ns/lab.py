"""A lab with the real daemon, for tests."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIMEOUT_S = 60
RAMP = bytes(range(251))


def ramp(size, first=0):
    """Bytes 0..250 repeating: its period is prime, so a lost or repeated block shows."""
    start = first % 251
    return (RAMP * (size // 251 + 2))[start:start + size]


class Lab:
    def __init__(self, link, options=()):
        self.runtime = tempfile.mkdtemp(prefix="migd-ns.")
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=self.runtime)
        self._up = ["up", "--link", link, *options]
        self.serve = os.path.join(self.runtime, "www")
        os.makedirs(self.serve)

    def __enter__(self):
        self.lab(*self._up, "--serve", self.serve)
        self.status = json.loads(self.lab("status", "--json"))
        self.hosts = [n["name"] for n in self.status["nodes"] if "host" in n["roles"]]
        for host in self.hosts:
            os.makedirs(os.path.join(self.serve, host), exist_ok=True)
        self.vip4, self.vip6 = self.status["vip"]
        self.wait_for_peers()
        return self

    def __exit__(self, *_):
        self.lab("down", check=False)
        shutil.rmtree(self.runtime, ignore_errors=True)

    def command(self, *arguments):
        return ["/usr/bin/python3", "-B", os.path.join(ROOT, "scripts", "lab"), *arguments]

    def lab(self, *arguments, check=True):
        done = subprocess.run(self.command(*arguments), env=self.environment, text=True,
                              capture_output=True, timeout=TIMEOUT_S)
        assert not check or done.returncode == 0, done.stderr + self.logs()
        return done.stdout

    def lab_errors(self, *arguments):
        return subprocess.run(self.command(*arguments), env=self.environment, text=True,
                              capture_output=True, timeout=TIMEOUT_S).stderr

    def logs(self):
        tails = []
        for name in ("f1", "f2", "k1", "h1", "h2", "h3"):
            path = os.path.join(self.runtime, f"migd-lab-{os.getuid()}", "lab", f"{name}.log")
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    tails.append(f"--- {name}\n" + "".join(file.readlines()[-15:]))
        return "\n".join(tails)

    def migd(self, node, *arguments):
        """(exit code, JSON) of `migd ARGUMENTS --json` against a node."""
        done = subprocess.run(self.command("migd", node, *arguments, "--json"),
                              env=self.environment, text=True, capture_output=True,
                              timeout=TIMEOUT_S)
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def start(self, namespace, *command, **options):
        return subprocess.Popen(self.command("exec", namespace, "--", *command),
                                env=self.environment, **options)

    def run(self, namespace, *command, **options):
        return subprocess.run(self.command("exec", namespace, "--", *command),
                              env=self.environment, capture_output=True, timeout=TIMEOUT_S,
                              **options)

    def signal(self, node, name):
        self.lab("signal", node, name)

    def start_node(self, node):
        self.lab("start", node)
        self.wait_for_peers()

    @contextlib.contextmanager
    def hosts_without_prepare(self):
        """The hosts, started again with `migrate.prepare = false` for the time of the context."""
        folder = os.path.join(self.runtime, f"migd-lab-{os.getuid()}", "lab")
        before = {}
        for host in self.hosts:
            with open(os.path.join(folder, f"{host}.toml"), "r+") as file:
                before[host] = file.read()
                assert "[migrate]" not in before[host]
                file.write("\n[migrate]\nprepare = false\n")
        self.restart_hosts()
        try:
            yield
        finally:
            for host, text in before.items():
                with open(os.path.join(folder, f"{host}.toml"), "w") as file:
                    file.write(text)
            self.restart_hosts()

    def restart_hosts(self):
        for host in self.hosts:
            self.lab("signal", host, "TERM", check=False)  # one may be dead already
            give_up = time.monotonic() + 10
            while "runs already" in self.lab_errors("start", host):
                assert time.monotonic() < give_up, f"{host} does not end"
                time.sleep(0.05)
        self.wait_for_peers()

    def make_file(self, host, name, size):
        with open(os.path.join(self.serve, host, name), "wb") as file:
            file.write(ramp(size))

    def wait_for_peers(self):
        """Until every node has a session with every other one."""
        give_up = time.monotonic() + 20
        names = [n["name"] for n in self.status["nodes"]]
        while time.monotonic() < give_up:
            reports = [self.migd(name, "status")[1] for name in names]
            if all(r and all(p["up"] for p in r["peers"]) for r in reports):
                return
            time.sleep(0.1)
        raise AssertionError("the nodes do not see each other\n" + self.logs())

    def owner_of(self, port, among=None):
        """(connection id, owner) of the client's port, once a host has it."""
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            for node in among or self.hosts:
                _, answer = self.migd(node, "conns")
                for row in (answer or {}).get("connections", []):
                    if row["peer"].endswith(f":{port}") and row["owner"] == node:
                        return row["id"], node
            time.sleep(0.05)
        raise AssertionError(f"no host has the connection of port {port}\n" + self.logs())

    def next_host(self, owner):
        return self.hosts[(self.hosts.index(owner) + 1) % len(self.hosts)]

    def move(self, connection, target, entry="f1"):
        code, answer = self.migd(entry, "migrate", connection, "--to", target, "--wait")
        assert code == 0, f"{answer}\n{self.logs()}"
        return answer
