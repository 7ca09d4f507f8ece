"""One real curl, and the moves of its connection while it runs."""
import hashlib
import subprocess
import time

from .cluster import Failure


class Transfer:
    """A curl in the client's namespace, its local port fixed so that the capture can be read."""

    def __init__(self, cluster, port, *arguments, output=subprocess.PIPE):
        self.port = port
        command = cluster.command(
            "client", "curl", "--silent", "--show-error", "--fail", "--max-time", "300",
            "--local-port", str(port), "--write-out", "%{stderr}%{time_total} %{size_download} "
            "%{size_upload}", *arguments)
        self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE)

    def running(self):
        return self.process.poll() is None

    def wait(self):
        """Returns (standard output, seconds, bytes down, bytes up)."""
        output, errors = self.process.communicate()
        if self.process.returncode != 0:
            raise Failure(f"curl ended with {self.process.returncode}: {errors.decode().strip()}")
        seconds, down, up = errors.decode().split()[-3:]
        return output, float(seconds), int(down), int(up)


def connection_of(cluster, port, patience_s=5):
    """The connection of the client's port, and the node that has it, once a host does."""
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up:
        _, rows = cluster.ask("GET", "/v1/conns")
        for row in rows.get("connections", []):
            if row["peer"].rsplit(":", 1)[1] == str(port) and row["owner"] in cluster.hosts:
                return row["id"], row["owner"]
        time.sleep(0.02)
    raise Failure(f"no host has the connection of port {port}")


def keep_moving(cluster, transfer, moves, interval_s, say):
    """Moves the transfer's connection round the hosts; returns how often it moved."""
    connection, owner = connection_of(cluster, transfer.port)
    done = 0
    while done < moves and transfer.running():
        started = time.monotonic()
        target = cluster.hosts[(cluster.hosts.index(owner) + 1) % len(cluster.hosts)]
        status, answer = cluster.ask("POST", "/v1/migrate",
                                     {"id": connection, "to": target, "wait": True})
        if status == 200:
            done += 1
            say(f"  move {done:2}: {owner} -> {target}  {answer['blob_bytes']:>7} bytes of state, "
                f"silent for {answer['freeze_us'] / 1000:.2f} ms")
            owner = target
        elif transfer.running():
            say(f"  not moved: {answer['error']['text']}; the connection goes on at {owner}")
        time.sleep(max(0.0, interval_s - (time.monotonic() - started)))
    return done


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def make_blank(path, size):
    """A file of zeros: a download into it waits neither for a disk nor for fresh memory."""
    with open(path, "wb") as file:
        zeros = bytes(1 << 20)
        for _ in range(-(-size // len(zeros))):
            file.write(zeros)


def make_file(path, size):
    """A file of `size` bytes that repeats nowhere: each MiB is numbered."""
    block = hashlib.shake_256(b"migd demo").digest((1 << 20) - 8)
    with open(path, "wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(8, "big") + block)
        file.write(block[:size & ((1 << 20) - 1)])
