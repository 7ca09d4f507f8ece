"""scripts/demo: the story in its order."""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import evidence, report
from .cluster import ROOT, Capture, Cluster, Failure
from .stalls import StallWatch
from .transfer import Transfer, connection_of, keep_moving, make_blank, make_file, sha256_of

DESCRIPTION = """\
Starts a cluster of migd nodes in namespaces of this machine, lets a real curl download from its
VIP at full speed while the TCP connection moves from node to node, then an upload, then asks an
unmodified nginx behind the relay; the same transfers run beside it without a move, as the control.
Then the client's own capture says what the client could notice. Needs no root. When a figure does
not hold and the machine itself was seen standing still meanwhile, it is all done again, at most
twice, and says so.
"""

DOWNLOAD_MOVES, UPLOAD_MOVES = 26, 10
ATTEMPTS = 3
TRANSFER_S = 7               # how long a transfer shall last at the speed of this machine
SIZE_MAX = 6 << 30
PORTS = {"calibration": (40010, 40011, 40012), "control": 40001, "moved": 40002,
         "control_upload": 40003, "moved_upload": 40004, "control_relay": 40005, "relay": 40006,
         "control_after": 40007}


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/demo", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    parser.add_argument("--link", choices=["tun", "packet"], help="device of the nodes")
    parser.add_argument("--user", action="store_true", help="in a user namespace, also for root")
    parser.add_argument("--out", metavar="DIR", default=os.path.join(ROOT, "build", "demo"),
                        help="where capture and logs are left (default: build/demo)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    stream = os.sys.stderr if options.json else os.sys.stdout

    def say(text):
        print(text, file=stream, flush=True)

    try:
        if "MIGD_BINARY" not in os.environ:
            subprocess.run([os.path.join(ROOT, "scripts/bootstrap")], check=True,
                           stdout=os.sys.stderr)
        result, wrong = run_until_judged(options, say)
    except (Failure, OSError, subprocess.CalledProcessError) as error:
        print(f"demo: {error}", file=os.sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=os.sys.stderr)
        return 130
    for line in wrong:
        print(f"demo: does not hold: {line}", file=os.sys.stderr)
    if options.json:
        print(json.dumps(result))
    else:
        say("\nThe client noticed nothing." if not wrong else "\nThe demo failed.")
    return 1 if wrong else 0


def run_until_judged(options, say):
    for attempt in range(1, ATTEMPTS + 1):
        with StallWatch() as machine:
            result = run(options, say)
        result["attempts"] = attempt
        result["machine_stalls"] = {"count": machine.count, "longest_ms": machine.longest_ms}
        broken, missed = report.broken(result), report.missed(result)
        if broken or not missed or not machine.count or attempt == ATTEMPTS:
            return result, broken + missed
        say(f"\nNot so: {'; '.join(missed)}. But this machine stood still {machine.count} times "
            f"meanwhile, for up to {machine.longest_ms} ms. Once more.\n")


def run(options, say):
    out = os.path.abspath(options.out)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    large = "/dev/shm" if os.access("/dev/shm", os.W_OK) else out
    with tempfile.TemporaryDirectory(prefix="migd-demo-", dir=large) as scratch:
        serve = os.path.join(scratch, "www")
        os.makedirs(os.path.join(serve, "h1"))
        cluster = Cluster(f"demo-{os.getpid()}", 3, serve, options.link, options.user)
        say(f"cluster: {cluster.entry} (forwarder and classifier), {', '.join(cluster.hosts)}; "
            f"link {cluster.status['link']}; VIP {cluster.vip}:{cluster.port}")
        try:
            result = Story(cluster, serve, scratch, out, say).tell()
        finally:
            cluster.down()
            for node in cluster.status["nodes"]:
                shutil.copy(cluster.log_path(node["name"]), out)
            shutil.rmtree(cluster.folder, ignore_errors=True)
    say(f"\ncapture and logs: {out}")
    return result


class Story:
    def __init__(self, cluster, serve, scratch, out, say):
        self.cluster, self.serve, self.scratch, self.out, self.say = (cluster, serve, scratch, out,
                                                                      say)
        self.url = f"http://{cluster.vip}:{cluster.port}"
        self.names = {str(n["id"]): n["name"] for n in cluster.status["nodes"]}
        self.connections = {}  # name of a transfer: id of its connection

    def tell(self):
        size = self.calibrate()
        with Capture(self.cluster, os.path.join(self.out, "client.pcap")) as capture:
            speeds, down_ok = self.download(size)
            upload_speeds, up_ok = self.upload(size)
            relay_ok = self.relay()
        return self.evidence(capture, speeds, upload_speeds, down_ok, up_ok, relay_ok)

    def calibrate(self):
        make_file(os.path.join(self.serve, "h1", "small.bin"), 128 << 20)
        speed = 0.0
        for port in PORTS["calibration"]:  # the best: a file for a slow moment would be too short
            transfer = Transfer(self.cluster, port, "-o", "/dev/null", f"{self.url}/h1/small.bin")
            _, seconds, down, _ = transfer.wait()
            speed = max(speed, down / seconds)
        size = min(SIZE_MAX, max(64, int(speed * TRANSFER_S) >> 20) << 20)
        self.say(f"this machine carries {speed / 1e6:.0f} MB/s here; the file: {size >> 20} MiB")
        make_file(os.path.join(self.serve, "h1", "large.bin"), size)
        return size

    def download_once(self, name, moves=0):
        target = os.path.join(self.scratch, "download.bin")
        make_blank(target, os.path.getsize(os.path.join(self.serve, "h1", "large.bin")))
        with open(target, "r+b") as output:
            transfer = Transfer(self.cluster, PORTS[name], f"{self.url}/h1/large.bin",
                                output=output)
        moved = 0
        if moves:
            self.connections[name], _ = connection_of(self.cluster, PORTS[name])
            moved = keep_moving(self.cluster, transfer, moves, TRANSFER_S * 0.6 / moves, self.say)
        _, seconds, down, _ = transfer.wait()
        os.truncate(target, down)
        digest = sha256_of(target)
        os.unlink(target)
        self.say(f"  {down >> 20} MiB in {seconds:.2f} s, {down / seconds / 1e6:.0f} MB/s, sha256 "
                 f"{digest[:16]}...")
        return down / seconds, digest, moved

    def download(self, size):
        expected = sha256_of(os.path.join(self.serve, "h1", "large.bin"))
        self.say(f"\ndownload of {size >> 20} MiB, control: the connection stays")
        control, digest, _ = self.download_once("control")
        ok = digest == expected
        self.say(f"\ndownload of {size >> 20} MiB, the connection moves {DOWNLOAD_MOVES} times")
        moved, digest, _ = self.download_once("moved", DOWNLOAD_MOVES)
        ok = ok and digest == expected
        self.say("\nonce more the control")
        after, digest, _ = self.download_once("control_after")
        return (moved, (control + after) / 2), ok and digest == expected

    def upload_once(self, name, path, expected, moves=0):
        transfer = Transfer(self.cluster, PORTS[name], "-T", path, f"{self.url}/upload")
        if moves:
            self.connections[name], _ = connection_of(self.cluster, PORTS[name])
            keep_moving(self.cluster, transfer, moves, TRANSFER_S * 0.3 / moves, self.say)
        answer, seconds, _, up = transfer.wait()
        ok = answer.decode().split()[0] == expected
        verdict = "is right" if ok else "IS WRONG: " + answer.decode()[:80]
        self.say(f"  {up >> 20} MiB in {seconds:.2f} s, {up / seconds / 1e6:.0f} MB/s, "
                 f"the server's sha256 {verdict}")
        return up / seconds, ok

    def upload(self, size):
        path = os.path.join(self.scratch, "upload.bin")
        make_file(path, size // 2)
        expected = sha256_of(path)
        self.say(f"\nupload of {size >> 21} MiB, control: the connection stays")
        control, control_ok = self.upload_once("control_upload", path, expected)
        self.say(f"\nupload of {size >> 21} MiB, the connection moves {UPLOAD_MOVES} times")
        moved, moved_ok = self.upload_once("moved_upload", path, expected, UPLOAD_MOVES)
        os.unlink(path)
        return (moved, control), control_ok and moved_ok

    def relay(self):
        self.say("\nan unmodified nginx behind the relay, by path")
        host = self.cluster.hosts[-1]
        root = os.path.join(self.scratch, "nginx")
        os.makedirs(os.path.join(root, "html", "nginx"))
        text = f"nginx of {host} speaking\n"
        with open(os.path.join(root, "html", "nginx", "hello.txt"), "w") as file:
            file.write(text)
        with start_nginx(self.cluster, host, root):
            answers = []
            for name in ("control_relay", "relay"):
                transfer = Transfer(self.cluster, PORTS[name], f"{self.url}/nginx/hello.txt")
                answers.append(transfer.wait()[0].decode())
        self.say(f"  {answers[-1].strip()}")
        return answers == [text, text]

    def evidence(self, capture, speeds, upload_speeds, down_ok, up_ok, relay_ok):
        vip = {(socket.inet_aton(self.cluster.vip), self.cluster.port)}
        seen = evidence.read(capture.path, vip)
        finished = self.cluster.finished_migrations()
        gaps, silences, freezes, between, migrations = [], [], [], [], 0
        for name, control, direction, title in (
                ("moved", "control", "in", "the download's moves"),
                ("moved_upload", "control_upload", "out", "the upload's moves")):
            moves = [m for m in finished if m["connection"] == self.connections[name]
                     and m["source"] in self.hosts_by_id()]
            report.measure(moves, seen[PORTS[name]], direction)
            silences += report.silences(moves, seen[PORTS[name]], seen[PORTS[control]], direction)
            report.print_moves(title, moves, self.names, self.say)
            migrations += len(moves)
            gaps += [m["gap_ns"] for m in moves if m["gap_ns"] is not None]
            freezes += [m["freeze_ns"] for m in moves]
            between += [m["bytes"] for m in moves[1:]]
        of = lambda *names: [seen[PORTS[n]] for n in names if PORTS[n] in seen]
        moved = evidence.total(of("moved", "moved_upload", "relay"))
        control = evidence.total(of("control", "control_upload", "control_relay"))
        report.print_counts(moved, control, self.say)
        self.say(f"  {'packets the capture missed':28} {capture.drops:8}")
        gap_us, control["gap_us"] = report.percentiles(gaps), report.percentiles(silences)
        self.say(f"  {'longest silence, p50 (us)':28} {gap_us['p50']:8} "
                 f"{control['gap_us']['p50']:8}")
        return {"migrations": migrations, "sha256_ok": down_ok, "upload_sha256_ok": up_ok,
                "relay_ok": relay_ok, "connections": 3, **moved, "control": control,
                "capture_drops": capture.drops, "gap_us": gap_us,
                "freeze_us": report.percentiles(freezes),
                "throughput_ratio": round(speeds[0] / speeds[1], 3),
                "upload_throughput_ratio": round(upload_speeds[0] / upload_speeds[1], 3),
                "bytes_between_moves_min": min(between, default=0), "capture": capture.path}

    def hosts_by_id(self):
        return {number for number, name in self.names.items() if name in self.cluster.hosts}


class start_nginx:  # noqa: N801 (used like a function)
    """nginx on the UNIX socket that the relay of the lab's hosts is configured with."""

    CONFIGURATION = """\
daemon off; master_process off; user root; pid nginx.pid; error_log error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .;
       uwsgi_temp_path .; scgi_temp_path .;
       server {{ listen unix:{socket}; root html; }} }}
"""

    def __init__(self, cluster, host, root):
        path = os.path.join(cluster.folder, "nginx.sock")
        with open(os.path.join(root, "nginx.conf"), "w") as file:
            file.write(self.CONFIGURATION.format(socket=path))
        self.path = path
        self.command = cluster.command(host, "/usr/sbin/nginx", "-p", root, "-c", "nginx.conf")

    def __enter__(self):
        self.process = subprocess.Popen(self.command)
        give_up = time.monotonic() + 5
        while not os.path.exists(self.path):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise Failure("nginx did not start")
            time.sleep(0.02)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=10)
