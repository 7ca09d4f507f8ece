"""The configuration file of each node. Nothing here has side effects."""
from .plan import CHANNEL_PORT, DEVICE, DEVICE_PEER, VIP4, VIP6, VIP_PORT


_SIMPLE_SERVICES = {"echo": 7, "discard": 9, "source": 19}  # application -> its well-known port


def text(plan, node, keys, options):
    parts = [_own(plan, node, options)]
    parts += [_peer(peer, keys[peer.name]) for peer in plan.nodes if peer is not node]
    parts += _web_service(plan)
    for application, port in _SIMPLE_SERVICES.items():
        parts += _simple_service(plan, application, port)
    if "host" in node.roles:
        parts += _applications(options["serve"])
    return "\n".join(parts)


def _value(value):
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, int):
        return str(value)
    escaped = "".join(
        f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 0x20 or ord(c) == 0x7F else c for c in value)
    return f'"{escaped}"'


def _table(header, **values):
    lines = [header] + [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _own(plan, node, options):
    link = {"kind": plan.link, "name": DEVICE}
    if plan.link == "packet":
        link["device"] = DEVICE_PEER
    link["mtu"] = node.mtu
    if options["trace"] is not None:
        link["pcap"] = f"{options['trace']}/{node.name}.pcap"
    return "\n".join([
        "config_version = 1\n",
        _table("[node]", name=node.name, id=node.id, roles=node.roles),
        _table("[tunnel]", address=[node.tunnel4, node.tunnel6]),
        _table("[link]", **link),
        _table("[log]", level=options["log_level"]),
        _table("[admin]", socket=f"{node.name}.sock"),
        _table("[tcp]", send_buffer="256KiB", window="1MiB"),
        _table("[channel]", port=CHANNEL_PORT, key_file=f"{node.name}.key"),
    ])


def _peer(peer, public_key):
    return _table("[[peer]]", name=peer.name, id=peer.id, roles=peer.roles,
                  tunnel_address=[peer.tunnel4, peer.tunnel6], public_key=public_key)


def _web_service(plan):
    """/<host>/... goes to that host, /nginx/ to the last one, the rest to any of them."""
    hosts = _hosts(plan)
    rules = [(f"/{host}/", f"node:{host}", "files") for host in hosts]
    rules += [("/upload", "pool:all", "upload"), ("/nginx/", f"node:{hosts[-1]}", "nginx")]
    parts = [_table("[[service]]", name="web", vip=_vips(VIP_PORT),
                    classify={"on": "request", "protocol": "http", "max_bytes": "8KiB",
                              "timeout": "500ms"},
                    default="pool:all", application="files")]
    parts += [_table("[[service.rule]]", match={"path_prefix": prefix}, target=target,
                     application=application) for prefix, target, application in rules]
    return parts + [_pool(hosts)]


def _simple_service(plan, application, port):
    return [_table("[[service]]", name=application, vip=_vips(port),
                   classify={"protocol": "none"}, default="pool:all", application=application),
            _pool(_hosts(plan))]


def _hosts(plan):
    return [node.name for node in plan.with_role("host")]


def _vips(port):
    return [f"{VIP4}:{port}", f"[{VIP6}]:{port}"]


def _pool(hosts):
    return _table("[service.pool.all]", nodes=hosts, policy="round-robin")


def _applications(root):
    parts = [
        _table("[[application]]", name="files", kind="files", root=root),
        _table("[[application]]", name="upload", kind="upload"),
        _table("[[application]]", name="nginx", kind="relay", address="unix:nginx.sock"),
    ]
    parts += [_table("[[application]]", name=name, kind=name) for name in _SIMPLE_SERVICES]
    return parts
