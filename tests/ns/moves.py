"""What the tests of moves share: clients in the client's namespace, and moves while they run."""
import itertools
import json
import os
import subprocess
import time

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernel_client.py")
PORTS = itertools.count(20000)
ECHO, SOURCE = 7, 19


def start_client(lab, kind, address, port, local_port, *numbers):
    return lab.start("client", "/usr/bin/python3", "-B", CLIENT, kind, address, str(port),
                     str(local_port), *map(str, numbers), stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, text=True)


def finish(client, lab):
    output, _ = client.communicate(timeout=60)
    result = json.loads(output)
    assert result["ok"], f"{result}\n{lab.logs()}"
    return result


def keep_moving(lab, local_port, client, moves, pause_s=0.05):
    connection, owner = lab.owner_of(local_port)
    done = 0
    for _ in range(moves):
        if client.poll() is not None:
            break
        target = lab.next_host(owner)
        try:
            lab.move(connection, target)
        except AssertionError:
            time.sleep(0.2)
            if client.poll() is None:
                raise
            break  # the client was done sooner
        owner, done = target, done + 1
        time.sleep(pause_s)
    return done
