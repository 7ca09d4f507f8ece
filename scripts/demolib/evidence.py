"""What a client's own capture says about its connections.

Nothing of migd is used here: the input is a pcap file (nanosecond, Ethernet) taken at the client's
interface, the output counts of what a client would notice. A connection is named by the client's
port. "Server" is whoever answers from the VIP.

  client_syn            SYNs the client sent
  client_rst            RSTs in either direction
  client_retransmits    data segments of the client that repeat bytes it has sent before
  server_retransmits    data segments of the server that repeat bytes already captured
  client_dupacks        pure ACKs of the client that repeat the one before, while data is on its way
  server_dupacks        the same of the server
  out_of_order          data segments of either side that leave a hole before them
"""
import bisect
import mmap
import struct

SYN, FIN, RST, ACK = 0x02, 0x01, 0x04, 0x10
COUNTS = ("client_syn", "client_rst", "client_retransmits", "server_retransmits",
          "client_dupacks", "server_dupacks", "out_of_order")


class Half:
    """One direction of one connection: what its sender has sent, and its ACKs."""

    __slots__ = ("next", "holes", "last_ack", "last_window", "highest")

    def __init__(self):
        self.next = None      # sequence number behind the highest byte seen, unwrapped
        self.holes = []       # [from, to) below next that were skipped
        self.last_ack = None
        self.last_window = None
        self.highest = 0

    def unwrap(self, seq):
        if self.next is None:
            return seq + (1 << 32)
        delta = (seq - self.next) & 0xffffffff
        return self.next + (delta - (1 << 32) if delta >= 1 << 31 else delta)


class Connection:
    """Counts and data arrival times of one connection."""

    def __init__(self, port):
        self.port = port
        self.counts = dict.fromkeys(COUNTS, 0)
        self.client = Half()
        self.server = Half()
        self.data_times = {"in": [], "out": []}   # ns, of data segments to / from the client
        self.data_ends = {"in": [], "out": []}    # stream offset behind each of them
        self.first_ns = None
        self.last_ns = None

    def longest_silence(self, direction, start_ns, end_ns):
        """Longest time in ns between data segments of that direction that overlaps the interval.

        None when the connection carried no data around it.
        """
        times = self.data_times[direction]
        low = max(bisect.bisect_left(times, start_ns) - 1, 0)
        high = min(bisect.bisect_right(times, end_ns), len(times) - 1)
        gaps = [b - a for a, b in zip(times[low:high], times[low + 1:high + 1])]
        return max(gaps) if gaps else None

    def bytes_between(self, direction, start_ns, end_ns):
        """Bytes of that direction whose segments were captured in the interval."""
        times, ends = self.data_times[direction], self.data_ends[direction]
        low, high = bisect.bisect_left(times, start_ns), bisect.bisect_left(times, end_ns)
        if high == 0 or not ends:
            return 0
        return ends[high - 1] - (ends[low - 1] if low > 0 else ends[0])

    def segment(self, half, other, from_client, seq, ack, flags, window, size):
        counts = self.counts
        if flags & RST:
            counts["client_rst"] += 1
            return
        if flags & SYN:
            if from_client:
                counts["client_syn"] += 1
            half.next = seq + 1 + (1 << 32)
            return
        if size or flags & FIN:
            first = half.unwrap(seq)
            end = first + size + (1 if flags & FIN else 0)
            if half.next is None:
                half.next = first
            if first > half.next:
                counts["out_of_order"] += 1
                half.holes.append((half.next, first))
            elif first < half.next and size and not self.fills_hole(half, first, end):
                counts["client_retransmits" if from_client else "server_retransmits"] += 1
            half.next = max(half.next, end)
        elif flags & ACK and not flags & FIN:
            # RFC 5681 section 2: same number, same window, no data, data outstanding.
            outstanding = other.next is not None and (other.next - ack) & 0xffffffff not in (0,)
            if ack == half.last_ack and window == half.last_window and outstanding:
                counts["client_dupacks" if from_client else "server_dupacks"] += 1
        if flags & ACK:
            half.last_ack, half.last_window = ack, window

    @staticmethod
    def fills_hole(half, first, end):
        """True when these bytes were missing until now; they were late, not repeated."""
        for index, (low, high) in enumerate(half.holes):
            if low <= first and end <= high:
                left = [(low, first)] if low < first else []
                right = [(end, high)] if end < high else []
                half.holes[index:index + 1] = left + right
                return True
        return False


def read(path, vip_port_addresses, client_ports=None):
    """Connections of the capture to any (packed address, port) of the set, by client port."""
    connections = {}
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if struct.unpack_from("<I", data)[0] != 0xa1b23c4d:
        raise ValueError(f"{path}: not a nanosecond pcap file")
    at, total = 24, len(data)
    record = struct.Struct("<IIII")
    tcp = struct.Struct("!HHIIBBH")
    while at + 16 <= total:
        seconds, nanos, kept, _ = record.unpack_from(data, at)
        packet = at + 16
        at = packet + kept
        ethertype = data[packet + 12] << 8 | data[packet + 13]
        if ethertype == 0x0800:
            if data[packet + 23] != 6:
                continue
            header = (data[packet + 14] & 15) * 4
            length = data[packet + 16] << 8 | data[packet + 17]
            source, target = data[packet + 26:packet + 30], data[packet + 30:packet + 34]
            # A train of exactly 64 KiB or more says 0 here; none of ours is that large.
            segment, size = packet + 14 + header, length - header
        elif ethertype == 0x86dd:
            if data[packet + 20] != 6:
                continue
            size = data[packet + 18] << 8 | data[packet + 19]
            source, target = data[packet + 22:packet + 38], data[packet + 38:packet + 54]
            segment = packet + 54
        else:
            continue
        sport, dport, seq, ack, offset, flags, window = tcp.unpack_from(data, segment)
        size -= (offset >> 4) * 4
        from_client = (target, dport) in vip_port_addresses
        if not from_client and (source, sport) not in vip_port_addresses:
            continue
        port = sport if from_client else dport
        if client_ports is not None and port not in client_ports:
            continue
        connection = connections.get(port)
        if connection is None:
            connection = connections[port] = Connection(port)
        now = seconds * 1_000_000_000 + nanos
        connection.first_ns = connection.first_ns or now
        connection.last_ns = now
        half, other = ((connection.client, connection.server) if from_client
                       else (connection.server, connection.client))
        connection.segment(half, other, from_client, seq, ack, flags, window, size)
        if size:
            direction = "out" if from_client else "in"
            connection.data_times[direction].append(now)
            connection.data_ends[direction].append(half.next)
    return connections


def total(connections):
    """The counts of several connections together."""
    return {name: sum(c.counts[name] for c in connections) for name in COUNTS}
