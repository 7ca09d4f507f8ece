"""The configuration file of each node. Nothing here has side effects."""
from .plan import CHANNEL_PORT, DEVICE, DEVICE_PEER, MTU, VIP4, VIP6, VIP_PORT


def text(plan, node, keys, options):
    parts = [_own(plan, node)]
    parts += [_peer(peer, keys[peer.name]) for peer in plan.nodes if peer is not node]
    parts += [_service(plan), _applications(options)]
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
    return "\n".join([header] + [f"{key} = {_value(value)}" for key, value in values.items()]) + "\n"


def _own(plan, node):
    link = {"kind": plan.link, "name": DEVICE, "mtu": MTU}
    if plan.link == "packet":
        link["device"] = DEVICE_PEER
    return "\n".join([
        "config_version = 1\n",
        _table("[node]", name=node.name, id=node.id, roles=node.roles),
        _table("[link]", **link),
        _table("[admin]", socket=f"{node.name}.sock"),
        _table("[tcp]", send_buffer="256KiB", window="1MiB"),
        _table("[tunnel]", address=[node.tunnel4, node.tunnel6]),
        _table("[channel]", port=CHANNEL_PORT, key_file=f"{node.name}.key"),
    ])


def _peer(peer, public_key):
    return _table("[[peer]]", name=peer.name, id=peer.id,
                  tunnel_address=[peer.tunnel4, peer.tunnel6], public_key=public_key,
                  roles=peer.roles)


def _service(plan):
    """/<host>/... goes to that host, /nginx/ to the last one, the rest to any of them."""
    hosts = [node.name for node in plan.with_role("host")]
    rules = [(f"/{host}/", f"node:{host}", "files") for host in hosts]
    rules += [("/upload", "pool:all", "upload"), ("/nginx/", f"node:{hosts[-1]}", "nginx")]
    parts = [_table("[[service]]", name="web",
                    vip=[f"{VIP4}:{VIP_PORT}", f"[{VIP6}]:{VIP_PORT}"],
                    classify={"on": "request", "protocol": "http", "max_bytes": "8KiB",
                              "timeout": "500ms"},
                    default="pool:all")]
    parts += [_table("[[service.rule]]", match={"path_prefix": prefix}, target=target,
                     application=application) for prefix, target, application in rules]
    parts.append(_table("[service.pool.all]", nodes=hosts, policy="round-robin"))
    return "\n".join(parts)


def _applications(options):
    return "\n".join([
        _table("[[application]]", name="files", kind="files", root=options["serve"]),
        _table("[[application]]", name="upload", kind="upload"),
        _table("[[application]]", name="nginx", kind="relay", address="unix:nginx.sock"),
    ])
