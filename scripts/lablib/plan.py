"""What a lab consists of. Nothing here has side effects.

              client                 10.77.99.2
                |
              router                 10.77.<id>.1 on each link
     ___________|______________
    |      |      |      |     |
    f1 ..  k1 ..  h1 ..              eth0 10.77.<id>.2, migd0 with routes to the VIP
                                     and to the node's tunnel address 10.77.200.<id>

IPv6 has the same picture and the same digits: fd77:0:0:<id>::2, fd77:0:0:200::<id>.
"""
import dataclasses

CLIENT, ROUTER = "client", "router"
CLIENT_ID = 99
VIP4, VIP6 = "10.77.100.1", "fd77:0:0:100::1"
VIP_PORT = 80
CHANNEL_PORT = 7946
DEVICE = "migd0"
DEVICE_PEER = "migd0p"  # link kind "packet": the end of the veth pair that migd opens
MTU = 1500

# Identifiers must fit 1..63. The first of each kind; also the limit of how many there may be.
_KINDS = {
    "f": ("forwarder", 1, 10),
    "h": ("host", 11, 30),
    "k": ("classifier", 41, 10),
}


@dataclasses.dataclass(frozen=True)
class Node:
    name: str
    id: int
    roles: tuple
    mtu: int = MTU  # of its device; that of its link to the router is always MTU

    @property
    def link4(self):
        return f"10.77.{self.id}.2"

    @property
    def link6(self):
        return f"fd77:0:0:{self.id}::2"

    @property
    def tunnel4(self):
        return f"10.77.200.{self.id}"

    @property
    def tunnel6(self):
        return f"fd77:0:0:200::{self.id}"

    @property
    def clock_offset_s(self):
        """How far the node's monotonic clock is ahead of the machine's: another one for each."""
        return self.id * 100_003


@dataclasses.dataclass(frozen=True)
class Plan:
    name: str
    link: str  # tun | packet
    nodes: list

    @property
    def namespaces(self):
        return [CLIENT, ROUTER] + [node.name for node in self.nodes]

    def node(self, name):
        return next((node for node in self.nodes if node.name == name), None)

    def with_role(self, role):
        return [node for node in self.nodes if role in node.roles]

    def to_json(self):
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(value):
        nodes = [Node(node["name"], node["id"], tuple(node["roles"]), node["mtu"])
                 for node in value["nodes"]]
        return Plan(value["name"], value["link"], nodes)


def make(name, link, hosts, forwarders, classifiers, mtus=()):
    """`mtus`: NODE=BYTES, for those whose device has another MTU."""
    counts = {"f": forwarders, "h": hosts, "k": classifiers}
    nodes = []
    for letter, count in counts.items():
        role, first_id, limit = _KINDS[letter]
        lowest = 1 if letter == "h" else 0
        if not lowest <= count <= limit:
            raise ValueError(f"--{role}s {count}: expected {lowest} to {limit}")
        for index in range(count):
            roles = (role,)
            if letter == "h" and index == 0 and forwarders == 0:
                roles = ("forwarder", "host")  # nobody else is there to do it
            if "forwarder" in roles and classifiers == 0:
                roles = (*roles, "classifier")
            nodes.append(Node(f"{letter}{index + 1}", first_id + index, roles))
    return Plan(name, link, _with_mtus(nodes, mtus))


def _with_mtus(nodes, mtus):
    wanted = dict(item.partition("=")[::2] for item in mtus)
    for name, size in wanted.items():
        if (name not in [node.name for node in nodes] or not size.isdigit()
                or not 1280 <= int(size) <= MTU):
            raise ValueError(f"--mtu {name}={size}: expected NODE=BYTES, 1280 to {MTU} bytes")
    return [dataclasses.replace(node, mtu=int(wanted.get(node.name, MTU))) for node in nodes]
