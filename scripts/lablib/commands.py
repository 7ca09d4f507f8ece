"""The command line of scripts/lab."""
import argparse
import json
import os
import signal
import sys

from . import client, daemon, enter, holder, plan, processes, spawn
from .store import LabError, Store, start_time

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RAMP = bytes(range(251))  # its period is no power of two: a lost or repeated block shows

_EXIT_FAILED, _EXIT_USAGE, _EXIT_NO_LAB = 1, 2, 3


def main(arguments):
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    if arguments[:1] == ["hold"]:
        return holder.main(arguments[1], int(arguments[2]), int(arguments[3]))
    options = _parser().parse_args(arguments)
    for number in _INTERRUPTIONS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _interrupt)
    try:
        return options.run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return _EXIT_FAILED
    except _Interrupted as interruption:
        print("lab: interrupted", file=sys.stderr)
        return 128 + interruption.number


class _Interrupted(BaseException):
    def __init__(self, number):
        super().__init__()
        self.number = number


_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(number, _frame):
    for further in _INTERRUPTIONS:
        signal.signal(further, signal.SIG_IGN)  # what follows is the clean-up
    raise _Interrupted(number)


def _parser():
    parser = argparse.ArgumentParser(
        prog="scripts/lab",
        description="A cluster of migd nodes with a client, each in a network namespace, for root "
                    "and for ordinary users alike. Everything ends with the lab.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name, run, summary):
        command = commands.add_parser(name, help=summary, description=summary)
        command.add_argument("--name", default="lab", help="which lab, of several (default: lab)")
        command.set_defaults(run=run)
        return command

    up = add("up", _up, "start a lab")
    up.add_argument("--hosts", type=int, default=3, metavar="N", help="h1.. (default: 3)")
    up.add_argument("--forwarders", type=int, default=1, metavar="N",
                    help="f1.. (default: 1; 0: the first host forwards)")
    up.add_argument("--classifiers", type=int, default=0, metavar="N",
                    help="k1.. (default: 0, the forwarders classify)")
    up.add_argument("--link", choices=["tun", "packet"],
                    help="device of the nodes (default: tun if this user may use it, else packet)")
    up.add_argument("--user", action="store_true",
                    help="in a user namespace, as always for an ordinary user, also for root")
    up.add_argument("--serve", metavar="DIR", help="the folder that the file server serves")

    up.add_argument("--mtu", action="append", default=[], metavar="NODE=BYTES",
                    help="the MTU of a node's device (default: 1500)")
    up.add_argument("--log-level", choices=["debug", "info", "warn", "error"], default="info",
                    help="the least that the daemons log (default: info)")
    up.add_argument("--trace-dir", metavar="DIR", help="have each daemon write DIR/<node>.pcap")

    inside = add("exec", _exec, "run a command in a namespace: client, router, f1.., k1.., h1..")
    inside.add_argument("namespace", metavar="NS")
    inside.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")

    held = add("client", _client, "bring a connection into a TCP state, and keep it there until a "
                                  "line is typed")
    held.add_argument("state", metavar="STATE", choices=client.STATES,
                      help=", ".join(client.STATES))
    held.add_argument("--host", metavar="NODE", help="by the path of which (default: h1)",
                      default="h1")
    held.add_argument("--ipv6", action="store_true")

    migd = add("migd", _migd, "run migd against the daemon of a node")
    migd.add_argument("node", metavar="NODE")
    migd.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS")

    send = add("signal", _signal, "send a signal to the daemon of a node")
    send.add_argument("node", metavar="NODE")
    send.add_argument("signal", metavar="SIGNAL", help="KILL, STOP, CONT, TERM, HUP, ...")

    start = add("start", _start, "start the daemon of a node that has ended")
    start.add_argument("node", metavar="NODE")

    status = add("status", _status, "show what runs")
    status.add_argument("--json", action="store_true")

    down = add("down", _down, "end a lab")
    down.add_argument("--keep", action="store_true", help="leave its folder, with the logs")
    return parser


def _binary():
    path = os.environ.get("MIGD_BINARY") or os.path.join(_ROOT, "build", "release", "migd")
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise LabError(f"no program {path}; build it with: scripts/bootstrap")
    return os.path.abspath(path)


def _program():
    """How the user called us, for messages."""
    return os.path.relpath(os.path.join(_ROOT, "scripts", "lab"))


def _up(options):
    try:
        wanted = plan.make(options.name, options.link or "auto", options.hosts,
                           options.forwarders, options.classifiers, options.mtu)
    except ValueError as error:
        print(f"lab: {error}", file=sys.stderr)
        return _EXIT_USAGE
    store = Store.of(options.name)
    binary = _binary()
    for option, folder in (("--serve", options.serve), ("--trace-dir", options.trace_dir)):
        if folder is not None and not os.path.isdir(folder):
            raise LabError(f"{option} {folder}: no such folder")
    with store.locked():
        if store.state():
            raise LabError(f"lab {options.name!r} is up already; end it with: "
                           f"{_program()} down --name {options.name}")
        store.remove()  # what a lab that was killed has left
        store.create()
        try:
            ready = _bring_up(store, wanted, options, binary)
        except BaseException:
            store.remove()
            raise
    _print_summary(store, plan.Plan.from_json(store.read("plan.json")), ready)
    return 0


def _bring_up(store, wanted, options, binary):
    serve = "www" if options.serve is None else os.path.abspath(options.serve)
    if options.serve is None:
        _make_served_files(store, wanted)
    trace = None if options.trace_dir is None else os.path.abspath(options.trace_dir)
    store.write("plan.json", wanted.to_json())
    store.write("options.json", {"link": wanted.link, "binary": binary, "serve": serve,
                                 "trace": trace, "log_level": options.log_level})
    in_user_namespace = options.user or os.geteuid() != 0
    lab = spawn.Holder(store, in_user_namespace)
    try:
        ready = lab.wait()
        store.write("state.json", dict(
            ready, holder=lab.pid, holder_start_time=start_time(lab.pid), binary=binary,
            user_namespace=in_user_namespace))
        lab.let_go()
    except BaseException:
        lab.kill()
        raise
    return ready


def _make_served_files(store, wanted):
    """The same small files in the served folder and below it in one folder per host."""
    folders = [store.path("www")]
    folders += [store.path(f"www/{node.name}") for node in wanted.with_role("host")]
    for folder in folders:
        os.mkdir(folder)
        for name, size in (("1KiB.bin", 1 << 10), ("1MiB.bin", 1 << 20)):
            if folder != folders[0]:
                os.link(os.path.join(folders[0], name), os.path.join(folder, name))
                continue
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write((_RAMP * (size // len(_RAMP) + 1))[:size])


def _print_summary(store, made, ready):
    by = f"--name {made.name} " if made.name != "lab" else ""
    program = _program()
    print(f"lab {made.name!r} is up: {' '.join(made.namespaces)} (link {ready['link']})\n"
          f"  VIP      {plan.VIP4}:{plan.VIP_PORT}  [{plan.VIP6}]:{plan.VIP_PORT}\n"
          f"  logs     {store.path('<node>.log')}\n"
          "try\n"
          f"  {program} exec {by}client -- curl -s http://{plan.VIP4}/h1/1MiB.bin | sha256sum\n"
          f"  {program} migd {by}{made.nodes[0].name} conns\n"
          f"  {program} down {by}".rstrip())


def _exec(options):
    store, state = _of(options)
    names = list(state["net_namespaces"])
    if options.namespace not in names:
        raise LabError(f"no namespace {options.namespace!r}; there are: {' '.join(names)}")
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        print(f"lab: exec {options.namespace}: expected a command", file=sys.stderr)
        return _EXIT_USAGE
    return enter.run_program(state, options.namespace, command)


def _client(options):
    store, state = _of(options)
    _node(store, options.host)
    address = plan.VIP6 if options.ipv6 else plan.VIP4
    return enter.run_program(state, plan.CLIENT, [
        "/usr/bin/python3", "-B", os.path.abspath(client.__file__), address, str(plan.VIP_PORT),
        options.host, options.state])


def _migd(options):
    store, state = _of(options)
    node = _node(store, options.node)
    binary = os.environ.get("MIGD_BINARY") or state["binary"]
    try:
        os.execv(binary, [binary, "-s", store.path(f"{node.name}.sock")] + options.arguments)
    except OSError as error:
        raise LabError(f"cannot run {binary}: {error.strerror}") from error


def _signal(options):
    store, state = _of(options)
    node = _node(store, options.node)
    try:
        number = signal.Signals["SIG" + options.signal.upper().removeprefix("SIG")]
    except KeyError:
        print(f"lab: signal {options.signal}: no such signal", file=sys.stderr)
        return _EXIT_USAGE
    pid = processes.daemon_pid(store, node.name,
                               processes.of_pid_namespace(state["pid_namespace"]))
    if pid is None:
        raise LabError(f"migd of {node.name} does not run")
    os.kill(pid, number)
    return 0


def _start(options):
    store, state = _of(options)
    node = _node(store, options.node)
    if processes.daemon_pid(store, node.name, processes.of_pid_namespace(state["pid_namespace"])):
        raise LabError(f"migd of {node.name} runs already")

    def start():
        daemon.wait_ready(store, {node: daemon.start(store, node, state["binary"])})

    enter.run_function(state, start)
    return 0


def _status(options):
    store, state = _of(options)
    made = plan.Plan.from_json(store.read("plan.json"))
    pids = processes.of_pid_namespace(state["pid_namespace"])
    nodes = []
    for node in made.nodes:
        pid = processes.daemon_pid(store, node.name, pids)
        condition = "ended" if pid is None else "stopped" if processes.is_stopped(pid) else "runs"
        nodes.append({"name": node.name, "id": node.id, "roles": node.roles, "pid": pid,
                      "state": condition, "address": [node.link4, node.link6],
                      "tunnel_address": [node.tunnel4, node.tunnel6],
                      "socket": store.path(f"{node.name}.sock"),
                      "log": store.path(f"{node.name}.log")})
    result = {"name": made.name, "holder": state["holder"], "folder": store.folder,
              "link": made.link, "user_namespace": state["user_namespace"],
              "vip": [plan.VIP4, plan.VIP6], "port": plan.VIP_PORT,
              "namespaces": made.namespaces, "nodes": nodes}
    if options.json:
        print(json.dumps(result))
        return 0
    print(f"lab {made.name!r}: link {made.link}, holder {state['holder']}, folder {store.folder}")
    print(f"{'node':6}{'id':>3}  {'state':8}{'pid':>8}  {'address':14}{'tunnel':15}roles")
    for node in nodes:
        print(f"{node['name']:6}{node['id']:3}  {node['state']:8}{node['pid'] or '-':>8}  "
              f"{node['address'][0]:14}{node['tunnel_address'][0]:15}{', '.join(node['roles'])}")
    return 0


def _down(options):
    store = Store.of(options.name)
    with store.locked():
        state = store.state()
        if state is None and not store.exists():
            print(f"lab: no lab {options.name!r} is up", file=sys.stderr)
            return 0
        if state is not None:
            running = processes.of_lab(state)
            spawn.end(state["holder"], graceful_s=5)
            _check_gone(running)
        if not options.keep:
            store.remove()
    return 0


def _check_gone(running):
    """All processes go with the holder, unless somebody brought one in from elsewhere."""
    left = [pid for pid, started in running.items() if start_time(pid) == started]
    if left:
        raise LabError("the lab has ended, but what was not started by it still uses its network: "
                       "process " + ", ".join(map(str, left)))


def _of(options):
    store = Store.of(options.name)
    state = store.state()
    if state is None:
        print(f"lab: no lab {options.name!r} is up; start one with: {_program()} up",
              file=sys.stderr)
        sys.exit(_EXIT_NO_LAB)
    return store, state


def _node(store, name):
    made = plan.Plan.from_json(store.read("plan.json"))
    node = made.node(name)
    if node is None:
        raise LabError(f"no node {name!r}; there are: {' '.join(n.name for n in made.nodes)}")
    return node
