"""The life cycle of scripts/lab: whatever happens to it, nothing of it stays."""
import os
import signal
import subprocess
import time
import tomllib

import pytest

from lab_fixture import Lab


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_up_and_down(lab):
    summary = lab.up()
    assert "client router f1 h1 h2" in summary
    status = lab.status()
    assert [node["name"] for node in status["nodes"]] == ["f1", "h1", "h2"]
    assert {node["state"] for node in status["nodes"]} == {"runs"}
    assert os.stat(lab.folder).st_mode & 0o777 == 0o700
    lab.output("down")
    lab.assert_nothing_left()
    assert not os.path.exists(lab.folder)


def test_roles_of_each_topology(user_lab):
    user_lab.up("--forwarders", "2", "--classifiers", "1")
    roles = {node["name"]: node["roles"] for node in user_lab.status()["nodes"]}
    assert roles == {"f1": ["forwarder"], "f2": ["forwarder"], "k1": ["classifier"],
                     "h1": ["host"], "h2": ["host"]}


def test_first_host_forwards_when_nobody_else_does(user_lab):
    user_lab.up("--forwarders", "0")
    roles = {node["name"]: node["roles"] for node in user_lab.status()["nodes"]}
    assert roles == {"h1": ["forwarder", "host", "classifier"], "h2": ["host"]}


@pytest.mark.parametrize("address", ["10.77.100.1", "fd77:0:0:100::1", "10.77.200.1",
                                     "fd77:0:0:200::1", "10.77.200.12", "fd77:0:0:200::12"])
def test_vip_and_tunnel_addresses_reach_the_daemons(shared_lab, address):
    ping = ["ping", "-q", "-c", "2", "-i", "0.05", "-W", "2", address]
    assert " 0% packet loss" in shared_lab.output("exec", "client", "--", *ping)
    assert " 0% packet loss" in shared_lab.output("exec", "h1", "--", *ping)


def test_kernel_says_nothing_on_the_device_by_itself(shared_lab):
    script = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("migd0", 0))
s.settimeout(2)
try:
    print(s.recv(2000).hex())
except TimeoutError:
    print("silence")
"""
    done = shared_lab.output("exec", "h2", "--", "/usr/bin/python3", "-c", script)
    assert done == "silence\n"


def test_exec_passes_streams_exit_code_and_folder(lab, tmp_path):
    lab.up()
    os.chmod(tmp_path, 0o755)
    assert lab.output("exec", "client", "--", "cat", input="through\n") == "through\n"
    assert lab.output("exec", "client", "pwd", cwd=tmp_path) == f"{tmp_path}\n"
    assert lab.run("exec", "h1", "--", "sh", "-c", "exit 7").returncode == 7
    assert lab.run("exec", "h1", "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9
    missing = lab.run("exec", "h1", "--", "no-such-program")
    assert missing.returncode == 127
    assert missing.stderr == "lab: cannot run no-such-program: no such command\n"


def test_exec_enters_the_namespace_that_was_named(lab):
    lab.up()
    for name, address in (("client", "10.77.99.2"), ("router", "10.77.99.1"),
                          ("h2", "10.77.12.2")):
        assert address in lab.output("exec", name, "--", "ip", "-4", "-o", "address")


def test_exec_forwards_signals_and_leaves_no_child(user_lab):
    user_lab.up()
    before = sorted(user_lab.processes())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        running = subprocess.Popen(
            user_lab.command("exec", "client", "--", "sh", "-c", "echo started; exec sleep 1000"),
            env=user_lab.environment, stdout=subprocess.PIPE, text=True)
        assert running.stdout.readline() == "started\n"
        running.send_signal(number)
        expected = -9 if number == signal.SIGKILL else 128 + number
        assert running.wait(10) == expected
        running.stdout.close()
        wait_until(lambda: sorted(user_lab.processes()) == before)


def test_migd_asks_the_daemon_of_the_node(lab):
    lab.up()
    assert lab.output("migd", "h2", "conns", "--json") == "asked h2.sock conns --json\n"
    assert lab.run("migd", "f1", "exit", "5").returncode == 5


def test_each_node_has_a_clock_of_its_own(lab):
    lab.up()
    clocks = []
    for node in ("f1", "h1", "h2"):
        with open(os.path.join(lab.folder, f"{node}.log"), encoding="utf-8") as stream:
            clocks.append(int(stream.read().split()[-1]))
    clocks.append(int(time.monotonic()))
    clocks.sort()
    assert all(later - earlier > 1000 for earlier, later in zip(clocks, clocks[1:]))


def test_kill_of_the_holder_ends_everything(lab):
    lab.up()
    waiting = subprocess.Popen(lab.command("exec", "client", "--", "sleep", "1000"),
                               env=lab.environment)
    holder = lab.status()["holder"]
    wait_until(lambda: len(lab.processes()) == 1 + 3 + 2)
    os.kill(holder, signal.SIGKILL)
    assert waiting.wait(10) == 128 + signal.SIGKILL
    lab.assert_nothing_left()
    assert lab.run("status").returncode == 3
    lab.up()  # what the killed one left on disk does not hinder
    lab.output("down")
    assert not os.path.exists(lab.folder)


def test_failed_up_leaves_nothing(lab):
    lab.environment["FAKE_MIGD_FAIL"] = "h2"
    done = subprocess.run(lab.up_command(), env=lab.environment, text=True, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "lab: migd of h2 ended before it was ready\nh2: told to fail\n"
    lab.assert_nothing_left()
    assert not os.path.exists(lab.folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_up_leaves_nothing(lab, number):
    lab.environment["FAKE_MIGD_HANG"] = "f1"
    # A test that runs in the background has SIGINT ignored, and its children inherit that.
    running = subprocess.Popen(lab.up_command(), env=lab.environment, stderr=subprocess.PIPE,
                               text=True, preexec_fn=lambda: signal.signal(signal.SIGINT,
                                                                           signal.SIG_DFL))
    wait_until(lambda: len(lab.processes()) == 1 + 1 + 3)
    running.send_signal(number)
    _, errors = running.communicate(timeout=20)
    if number != signal.SIGKILL:
        assert running.returncode == 128 + number
        assert errors == "lab: interrupted\n"
        assert not os.path.exists(lab.folder)
    lab.assert_nothing_left()
    del lab.environment["FAKE_MIGD_HANG"]
    lab.up()


def test_daemon_can_be_stopped_killed_and_started_again(lab):
    def state():
        return {node["name"]: node["state"] for node in lab.status()["nodes"]}

    lab.up()
    lab.output("signal", "h1", "STOP")
    assert state() == {"f1": "runs", "h1": "stopped", "h2": "runs"}
    lab.output("signal", "h1", "CONT")
    assert state()["h1"] == "runs"
    assert lab.run("start", "h1").stderr == "lab: migd of h1 runs already\n"
    lab.output("signal", "h1", "KILL")
    wait_until(lambda: state()["h1"] == "ended")
    assert lab.run("signal", "h1", "KILL").stderr == "lab: migd of h1 does not run\n"
    lab.output("start", "h1")
    assert state()["h1"] == "runs"
    lab.output("exec", "client", "--", "ping", "-q", "-c", "1", "-W", "2", "10.77.200.11")
    lab.output("signal", "h2", "STOP")
    lab.output("down")
    lab.assert_nothing_left()


def test_labs_of_several_names_at_once(user_lab):
    user_lab.up()
    user_lab.up("--name", "other")
    again = subprocess.run(user_lab.up_command(), env=user_lab.environment, text=True,
                           capture_output=True, timeout=60, check=False)
    assert again.returncode == 1
    assert again.stderr.startswith("lab: lab 'lab' is up already; end it with: ")
    user_lab.output("down", "--name", "other")
    assert user_lab.output("exec", "client", "--", "echo", "alive") == "alive\n"


def test_runtime_folder_below_run():
    """The lab has a /run of its own; its folder must be seen there all the same."""
    own = f"/run/user/{os.getuid()}"
    base = next((path for path in ("/run", own) if os.access(path, os.W_OK)), "/tmp")
    runtime = os.path.join(base, f"labtest.{os.getpid()}")
    os.mkdir(runtime, 0o700)
    lab = Lab("plain", runtime)
    try:
        lab.up()
        lab.output("exec", "h1", "--", "test", "-e", os.path.join(lab.folder, "h1.toml"))
        lab.output("down")
        lab.assert_nothing_left()
    finally:
        lab.close()


def test_configuration_of_a_node(user_lab, tmp_path):
    def config(node):
        with open(os.path.join(user_lab.folder, f"{node}.toml"), "rb") as stream:
            return tomllib.load(stream)

    user_lab.up("--link", "packet", "--serve", "/usr/share/doc", "--trace-dir", str(tmp_path),
                "--log-level", "warn")
    forwarder = config("f1")
    assert forwarder["node"] == {"name": "f1", "id": 1, "roles": ["forwarder", "classifier"]}
    assert forwarder["link"]["device"] == "migd0p"
    assert forwarder["link"]["pcap"] == f"{tmp_path}/f1.pcap"
    assert forwarder["log"]["level"] == "warn"
    assert [(peer["name"], peer["id"], peer["public_key"]) for peer in forwarder["peer"]] == [
        ("h1", 11, "public-key-of-h1.key"), ("h2", 12, "public-key-of-h2.key")]
    assert "application" not in forwarder
    assert config("h2")["application"][0]["root"] == "/usr/share/doc"
    assert config("h2")["service"] == forwarder["service"]


@pytest.mark.parametrize("arguments, code, message", [
    (["up", "--hosts", "0"], 2, "lab: --hosts 0: expected 1 to 30"),
    (["up", "--forwarders", "99"], 2, "lab: --forwarders 99: expected 0 to 10"),
    (["up", "--mtu", "h9=1400"], 2, "lab: --mtu h9=1400: expected NODE=BYTES, 1280 to 1500 bytes"),
    (["up", "--mtu", "h1=9000"], 2, "lab: --mtu h1=9000: expected NODE=BYTES, 1280 to 1500 bytes"),
    (["up", "--name", "../x"], 1, "lab: --name ../x: expected letters, digits, and any of _ . -"),
    (["up", "--serve", "/no/such"], 1, "lab: --serve /no/such: no such folder"),
    (["up", "--trace-dir", "/no/such"], 1, "lab: --trace-dir /no/such: no such folder"),
    (["up", "--link", "wire"], 2, "usage:"),
    (["exec", "client", "--", "true"], 3, "lab: no lab 'lab' is up; start one with: "),
    (["migd", "f1", "status"], 3, "lab: no lab 'lab' is up; start one with: "),
    (["status"], 3, "lab: no lab 'lab' is up; start one with: "),
    (["down"], 0, "lab: no lab 'lab' is up"),
])
def test_bad_input_without_a_lab(user_lab, arguments, code, message):
    done = user_lab.run(*arguments)
    assert (done.returncode, done.stderr[:len(message)]) == (code, message)
    user_lab.assert_nothing_left()


def test_bad_input_to_a_lab(user_lab):
    user_lab.up()
    for arguments, code, message in [
            (["exec", "h9", "--", "true"], 1,
             "lab: no namespace 'h9'; there are: client router f1 h1 h2\n"),
            (["exec", "h1"], 2, "lab: exec h1: expected a command\n"),
            (["migd", "client", "status"], 1, "lab: no node 'client'; there are: f1 h1 h2\n"),
            (["signal", "h1", "NONSENSE"], 2, "lab: signal NONSENSE: no such signal\n")]:
        done = user_lab.run(*arguments)
        assert (done.returncode, done.stderr) == (code, message)


def test_absent_daemon_program(user_lab):
    user_lab.environment["MIGD_BINARY"] = "/no/such/migd"
    done = user_lab.run("up")
    assert (done.returncode, done.stderr) == (
        1, "lab: no program /no/such/migd; build it with: scripts/bootstrap\n")
