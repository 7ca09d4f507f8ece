"""migd's wire formats as scapy layers, written from the bit diagrams in the headers they name, so
that two encoders that know nothing of each other meet at the vectors in tests/golden/."""

import hashlib
import struct

from scapy.all import (
    IP, TCP, UDP, BitField, ByteField, ConditionalField, FieldLenField, FieldListField, FlagsField,
    IntField, IP6Field, IPField, IPv6, LongField, Packet, PacketListField, ShortField,
    StrFixedLenField, StrLenField, XIntField, XLongField, XShortField, bind_layers)

GUE_PORT = 6080


def ramp(size, start=0):
    """The payload of all tests: a period that is prime to every power of two."""
    return bytes((start + i) % 251 for i in range(size))


# ---- forwarder/mapped_format.h: format A -------------------------------------------------------


def mapped(packet, forwarder, host, flow):
    """A client's TCP packet as the forwarder sends it to the host: other ends, one hop less."""
    packet = packet.copy()
    ip = packet[IPv6] if IPv6 in packet else packet[IP]
    ip.src, ip.dst = forwarder, host
    if IPv6 in packet:
        ip.hlim -= 1
    else:
        ip.ttl -= 1
        ip.chksum = None
    packet[TCP].sport, packet[TCP].dport = flow >> 16, flow & 0xffff
    packet[TCP].chksum = None
    return packet


# ---- forwarder/gue.h: format B -----------------------------------------------------------------


def _has(flag):
    return lambda packet: bool(packet.flags & flag)


def _reference(ipv6):
    return lambda packet: bool(packet.flags.R) and bool(packet.flags.value & 0x20) == ipv6


class MigdGUE(Packet):
    """GUE variant 0, data message, with migd's private data; the inner packet is the payload."""
    name = "migd GUE"
    fields_desc = [
        BitField("variant", 0, 2),
        BitField("control", 0, 1),
        BitField("hlen", None, 5),
        ByteField("proto", None),
        XShortField("extensions", 0),
        ByteField("version", 1),
        FlagsField("flags", 0, 8, "0123A6RF"),
        ByteField("hops", 1),
        ByteField("reserved1", 0),
        IntField("epoch", 0),
        XIntField("flow", 0),
        ShortField("next_hop", 0),
        ShortField("reserved2", 0),
        ShortField("node", 0),
        BitField("boot", 0, 48),
        XLongField("counter", 0),
        ConditionalField(IPField("local", "0.0.0.0"), _reference(False)),
        ConditionalField(IPField("peer", "0.0.0.0"), _reference(False)),
        ConditionalField(IP6Field("local6", "::"), _reference(True)),
        ConditionalField(IP6Field("peer6", "::"), _reference(True)),
        ConditionalField(ShortField("local_port", 0), _has(0x40)),
        ConditionalField(ShortField("peer_port", 0), _has(0x40)),
        ConditionalField(XIntField("send_next", 0), _has(0x40)),
        ConditionalField(XIntField("receive_next", 0), _has(0x40)),
        ConditionalField(StrFixedLenField("tag", b"", 16), _has(0x10)),
    ]

    def post_build(self, header, payload):
        first, proto = header[0], header[1]
        if self.hlen is None:
            first = (first & 0xe0) | (len(header) // 4 - 1)
        if self.proto is None and payload:
            proto = {4: 4, 6: 41}[payload[0] >> 4]
        return bytes([first, proto]) + header[2:] + payload


bind_layers(UDP, MigdGUE, dport=GUE_PORT)
bind_layers(MigdGUE, IP, proto=4)
bind_layers(MigdGUE, IPv6, proto=41)


# ---- migrator/channel/packet.h and hello.h: the blob channel -----------------------------------


def again(packet):
    """The packet taken apart and put together anew, from its fields."""
    apart = type(packet)(bytes(packet))
    apart.clear_cache()
    return apart


class MigdChannelHello(Packet):
    """A whole HELLO datagram; what is sealed is a MigdHello."""
    name = "migd HELLO datagram"
    fields_desc = [
        ByteField("type", 1),
        ByteField("version", 1),
        ShortField("sender", 0),
        XIntField("sender_key", 0),
        XIntField("receiver_key", 0),
        StrFixedLenField("nonce", b"", 24),
        StrFixedLenField("tag", b"", 16),
    ]


class MigdHello(Packet):
    """The inside of a HELLO."""
    name = "migd HELLO"
    fields_desc = [
        ShortField("receiver", 0),
        FlagsField("flags", 0, 8, "012345AE"),
        ByteField("reserved", 0),
        XLongField("boot", 0),
        StrFixedLenField("share", b"", 32),
        XLongField("association", 0),
        XLongField("echo_boot", 0),
        StrFixedLenField("echo_share", b"", 32),
        ByteField("channel_lowest", 1),
        ByteField("channel_highest", 1),
        ShortField("blob_lowest", 1),
        ShortField("blob_highest", 1),
        FlagsField("encapsulations", 3, 8, ["ports", "gue", "2", "3", "4", "5", "6", "7"]),
        ByteField("timestamps", 1),
        ByteField("window_profile", 1),
        FlagsField("ciphers", 1, 8, ["chacha", "aes", "2", "3", "4", "5", "6", "7"]),
        ShortField("datagram_max", 1400),
    ]


class MigdChannelData(Packet):
    """A DATA datagram: sealed frames and their tag, then the bodies as the payload."""
    name = "migd DATA datagram"
    fields_desc = [
        ByteField("type", 2),
        ByteField("version", 1),
        ShortField("sender", 0),
        XIntField("session", 0),
        LongField("packet", 0),
        FieldLenField("sealed_size", None, length_of="sealed", fmt="H"),
        StrLenField("sealed", b"", length_from=lambda packet: packet.sealed_size),
    ]


class _MigdFrame(Packet):
    """Frames follow each other; each says what it is in its first octet."""

    def guess_payload_class(self, payload):
        return {1: MigdAck, 2: MigdMessage, 3: MigdHeartbeat, 4: MigdClose}[payload[0]]


class MigdAckRun(Packet):
    name = "migd ACK run"
    fields_desc = [ShortField("missing", 1), ShortField("length", 1)]

    def extract_padding(self, payload):
        return b"", payload


class MigdAck(_MigdFrame):
    name = "migd ACK"
    fields_desc = [
        ByteField("type", 1),
        FieldLenField("more", None, count_of="runs", fmt="B"),
        IntField("delay", 0),
        LongField("largest", 0),
        ShortField("first_length", 1),
        PacketListField("runs", [], MigdAckRun, count_from=lambda packet: packet.more),
    ]


class MigdMessage(_MigdFrame):
    name = "migd MESSAGE"
    fields_desc = [
        ByteField("type", 2),
        FlagsField("flags", 0, 8, "0123456U"),
        ByteField("kind", 0),
        ByteField("reserved", 0),
        ShortField("origin", 0),
        ShortField("destination", 0),
        LongField("number", 0),
        XIntField("body_session", 0),
        IntField("body_size", 0),
        IntField("offset", 0),
        ShortField("size", 0),
        FieldLenField("head_size", None, length_of="head", fmt="H"),
        StrFixedLenField("tag", b"", 16),
        ConditionalField(StrLenField("head", b"", length_from=lambda packet: packet.head_size),
                         lambda packet: packet.offset == 0),
    ]


class MigdHeartbeat(_MigdFrame):
    name = "migd HEARTBEAT"
    fields_desc = [
        ByteField("type", 3),
        FieldLenField("size", None, length_of="load", fmt="B"),
        StrLenField("load", b"", length_from=lambda packet: packet.size),
    ]


class MigdClose(_MigdFrame):
    name = "migd CLOSE"
    fields_desc = [ByteField("type", 4), ByteField("cause", 1)]


def _derive(key, label, text, size):
    message = bytes([len(label)]) + label + text
    return hashlib.blake2b(message, key=key, digest_size=size).digest()


def session_secrets(low, high, cipher, shared, low_to_high, high_to_low):
    """What two nodes make of their offers, (node, boot, share, association) each: id, association,
    then the keys for datagrams and bodies of both directions (migrator/channel/session.h)."""
    text = b"".join(struct.pack(">HQ32sQ", *offer) for offer in (low, high))
    text += bytes([cipher]) + shared
    names = bytearray(_derive(low_to_high, b"migd channel session id 1", text, 16)[:12])
    names[11] |= 1
    return bytes(names) + b"".join(_derive(key, b"migd channel session 1", text, 64)
                                   for key in (low_to_high, high_to_low))


# ---- migrator/wire.h: the messages of a migration ----------------------------------------------

UNREACHED = 2**64 - 1  # a stage of an ORDER_RESULT that the migration never came to


def _tenure(prefix=""):
    return [ShortField(prefix + "node", 0), BitField(prefix + "boot", 0, 48),
            LongField(prefix + "counter", 0), IntField(prefix + "epoch", 0)]


def _four_tuple():
    def family(number):
        return lambda packet: packet.family == number
    return [ByteField("family", 4),
            ConditionalField(IPField("local", "0.0.0.0"), family(4)),
            ConditionalField(IP6Field("local6", "::"), family(6)),
            ShortField("local_port", 0),
            ConditionalField(IPField("peer", "0.0.0.0"), family(4)),
            ConditionalField(IP6Field("peer6", "::"), family(6)),
            ShortField("peer_port", 0)]


def _text(name):
    return [FieldLenField(name + "_size", None, length_of=name, fmt="B"),
            StrLenField(name, b"", length_from=lambda packet: getattr(packet, name + "_size"))]


class MigdState(Packet):
    name = "migd STATE"
    fields_desc = [*_tenure(), ShortField("source", 0), ShortField("target", 0),
                   ShortField("forwarder", 0), XIntField("flow", 0), XIntField("own_flow", 0),
                   ByteField("flags", 0), *_four_tuple()]


class MigdReady(Packet):
    name = "migd READY"
    fields_desc = _tenure()


class MigdRefuse(Packet):
    name = "migd REFUSE"
    fields_desc = [*_tenure(), *_text("reason")]


class MigdGrant(Packet):
    name = "migd GRANT"
    fields_desc = [*_tenure(), LongField("held", 0)]


class MigdActive(Packet):
    name = "migd ACTIVE"
    fields_desc = [*_tenure(), LongField("silent", 0)]


class MigdAbort(Packet):
    name = "migd ABORT"
    fields_desc = [*_tenure(), *_text("reason")]


class MigdBarrier(Packet):
    name = "migd BARRIER"
    fields_desc = [*_tenure(), ShortField("forwarder", 0), LongField("forwarder_boot", 0),
                   ByteField("quiet", 0)]


class MigdMap(Packet):
    name = "migd MAP"
    fields_desc = [*_tenure(), ShortField("owner", 0), XIntField("flow", 0),
                   ByteField("half_open", 0), *_four_tuple()]


class MigdUnmap(Packet):
    name = "migd UNMAP"
    fields_desc = [*_tenure(), *_four_tuple()]


class MigdLeaseRequest(Packet):
    name = "migd LEASE_REQUEST"
    fields_desc = []


class MigdLease(Packet):
    name = "migd LEASE"
    fields_desc = [IntField("first", 0), IntField("count", 0), StrFixedLenField("key", b"", 16)]


class MigdLocate(Packet):
    name = "migd LOCATE"
    fields_desc = [LongField("query", 0), *_text("prefix")]


class MigdMatch(Packet):
    name = "migd match of LOCATED"
    fields_desc = [*_tenure(), ByteField("here", 0), ShortField("next_owner", 0)]

    def extract_padding(self, payload):
        return b"", payload


class MigdLocated(Packet):
    name = "migd LOCATED"
    fields_desc = [
        LongField("query", 0),
        FieldLenField("n", None, count_of="matches", fmt="B"),
        PacketListField("matches", [], MigdMatch, count_from=lambda packet: packet.n),
    ]


class MigdOrder(Packet):
    name = "migd ORDER"
    fields_desc = [LongField("request", 0), *_tenure()[:3], ShortField("target", 0),
                   LongField("timeout", 0), ByteField("mode", 0), ByteField("unbound", 0),
                   *_text("application")]


class MigdOrderResult(Packet):
    name = "migd ORDER_RESULT"
    fields_desc = [
        LongField("request", 0), ByteField("outcome", 0), *_tenure(), ShortField("source", 0),
        ShortField("target", 0), IntField("blob_bytes", 0),
        FieldListField("stages", [], XLongField("at", 0), count_from=lambda packet: 9),
        *_text("reason"),
    ]


class MigdPrepare(Packet):
    name = "migd PREPARE"
    fields_desc = [*_tenure(), *_four_tuple(), ByteField("kept", 0), *_text("application")]


class MigdPromise(Packet):
    name = "migd PROMISE"
    fields_desc = [*_tenure(), *_text("reason")]


class MigdTrace(Packet):
    name = "migd TRACE"
    fields_desc = [LongField("query", 0), *_tenure()[:3]]


class MigdTraced(Packet):
    """Its body is a MigdBlobMoves."""
    name = "migd TRACED"
    fields_desc = [LongField("query", 0), ByteField("found", 0), *_tenure(), *_four_tuple()]


class MigdMoved(Packet):
    name = "migd MOVED"
    fields_desc = [*_tenure(), ShortField("owner", 0), *_tenure("instead_of_"), *_four_tuple()]


# ---- migrator/blob.h: the state of a connection ------------------------------------------------


class MigdBlobIdentity(Packet):
    name = "migd blob: identity"
    fields_desc = [*_tenure(), ShortField("source", 0), *_text("service"),
                   *_text("application")]


class MigdBlobTuple(Packet):
    name = "migd blob: four-tuple"
    fields_desc = _four_tuple()


class MigdBlobTcp(Packet):
    """Times in nanoseconds."""
    name = "migd blob: TCP"
    fields_desc = [
        ByteField("state", 1),
        XIntField("send_unacknowledged", 0), XIntField("send_next", 0),
        IntField("send_window", 0), IntField("send_window_max", 0),
        XIntField("send_wl1", 0), XIntField("send_wl2", 0), ByteField("send_scale", 0),
        IntField("send_in_flight", 0),
        ByteField("fin_set", 0), XIntField("fin_sequence", 0), IntField("send_buffer_limit", 0),
        XIntField("receive_next", 0), XIntField("announced_right_edge", 0),
        ByteField("receive_scale", 0), IntField("receive_window_limit", 0),
        ByteField("peer_fin_received", 0), ByteField("ack_pending", 0),
        ShortField("mss", 0), ShortField("announced_mss", 0), ByteField("window_scaling", 0),
        ByteField("timestamps", 0),
        ByteField("sack", 0), XIntField("ts_recent", 0), XIntField("ts_last_ack_sent", 0),
        LongField("ts_recent_age", 0), IntField("ts_clock", 0), LongField("ts_clock_part", 0),
        ByteField("rtt_known", 0), LongField("srtt", 0), LongField("rttvar", 0),
        LongField("rto", 0), LongField("timer_waited", 0), ByteField("retransmissions", 0),
        ByteField("duplicate_acks", 0), IntField("cwnd", 0), IntField("ssthresh", 0),
        IntField("cwnd_bytes_acked", 0), ByteField("in_fast_recovery", 0),
        ByteField("in_rto_recovery", 0), XIntField("recovery_end", 0),
        ByteField("persist_backoff", 0), ByteField("persist_probes", 0),
        ByteField("keepalive", 0), LongField("keepalive_idle", 0),
        LongField("keepalive_interval", 0), IntField("keepalive_count", 0),
        ByteField("keepalive_probes_sent", 0), LongField("idle", 0),
        LongField("time_in_state", 0), ByteField("no_delay", 1), ByteField("read_closed", 0),
        ByteField("write_closed", 0), ByteField("traffic_class", 0), ByteField("hop_limit", 64),
        LongField("bytes_in", 0), LongField("bytes_out", 0), LongField("age", 0),
        IntField("retransmitted_segments", 0),
    ]


class MigdBlobPath(Packet):
    name = "migd blob: path"
    fields_desc = [ShortField("mtu", 0), LongField("mtu_age", 0)]


class MigdBlobProgress(Packet):
    name = "migd blob: progress"
    fields_desc = [LongField("unacknowledged_for", 0)]


class MigdBlobRecovery(Packet):
    """Loss recovery, then congestion control. Times in nanoseconds."""
    name = "migd blob: recovery"
    fields_desc = [
        ByteField("rack_known", 0), LongField("rack_sent_ago", 0), XIntField("rack_end", 0),
        LongField("rack_rtt", 0), XIntField("rack_highest", 0), ByteField("reordering_seen", 0),
        ByteField("reordering_multiplier", 1), ByteField("reordering_persist", 0),
        ByteField("reordering_round_set", 0), XIntField("reordering_round", 0),
        LongField("min_rtt", 0), LongField("min_rtt_previous", 0), LongField("min_rtt_age", 0),
        IntField("prr_delivered", 0), IntField("prr_sent", 0), IntField("prr_flight", 1),
        ByteField("probe_end_set", 0), XIntField("probe_end", 0), ByteField("probe_repeated", 0),
        ByteField("frto_step", 0), ByteField("undo_possible", 0), XIntField("undo_proven", 0),
        XIntField("undo_end", 0), IntField("undo_unproven", 0), IntField("undo_cwnd", 0),
        IntField("undo_ssthresh", 0), ByteField("undo_timestamp_set", 0),
        XIntField("undo_timestamp", 0), XIntField("limited_until", 0), LongField("send_idle", 0),
        ByteField("algorithm", 1), ByteField("epoch_known", 0),
        LongField("epoch_ago", 0), ByteField("after_time_out", 0), IntField("epoch_cwnd", 0),
        IntField("cwnd_max", 0), IntField("cwnd_prior", 0), IntField("cwnd_reno", 0),
        IntField("undo_cwnd_max", 0), ByteField("slow_start_rounds", 0),
        ByteField("round_end_set", 0), XIntField("round_end", 0), LongField("round_rtt", 0),
        LongField("round_rtt_last", 0), LongField("slow_start_rtt", 0),
        ByteField("round_samples", 0),
    ]


class MigdBlobSentRange(Packet):
    """`marks`: 1 acknowledged selectively, 2 lost, 4 sent again since, 8 sent more than once."""
    name = "migd blob: range in flight"
    fields_desc = [IntField("length", 0), ByteField("marks", 0), LongField("sent_ago", 0)]

    def extract_padding(self, payload):
        return b"", payload


class MigdBlobSent(Packet):
    name = "migd blob: ranges in flight"
    fields_desc = [PacketListField("ranges", [], MigdBlobSentRange)]


class MigdBlobRange(Packet):
    name = "migd blob: range out of order"
    fields_desc = [XIntField("first", 0), ByteField("fin", 0),
                   FieldLenField("size", None, length_of="data", fmt="I"),
                   StrLenField("data", b"", length_from=lambda packet: packet.size)]

    def extract_padding(self, payload):
        return b"", payload


class MigdBlobRanges(Packet):
    name = "migd blob: ranges out of order"
    fields_desc = [PacketListField("ranges", [], MigdBlobRange)]


class MigdBlobSackBlock(Packet):
    name = "migd blob: SACK block"
    fields_desc = [XIntField("left", 0), XIntField("right", 0)]

    def extract_padding(self, payload):
        return b"", payload


class MigdBlobSackBlocks(Packet):
    name = "migd blob: SACK blocks"
    fields_desc = [PacketListField("blocks", [], MigdBlobSackBlock)]


class MigdBlobMove(Packet):
    """Times in microseconds, but the age in nanoseconds."""
    name = "migd blob: past move"
    fields_desc = [ShortField("source", 0), ShortField("target", 0), ShortField("forwarder", 0),
                   IntField("epoch", 0), *_text("asked_by"), ByteField("mode", 0),
                   ByteField("at_once", 0),
                   IntField("blob_bytes", 0), IntField("prepared", 0), IntField("at_source", 0),
                   IntField("crossing", 0), IntField("at_target", 0), LongField("age", 0),
                   ByteField("first_out_set", 0), IntField("first_out", 0),
                   ByteField("first_in_set", 0), IntField("first_in", 0)]

    def extract_padding(self, payload):
        return b"", payload


class MigdBlobMoves(Packet):
    name = "migd blob: past moves"
    fields_desc = [IntField("older", 0), PacketListField("moves", [], MigdBlobMove)]


class MigdBlobForwarded(Packet):
    name = "migd blob: forwarded, of an unbound connection"
    fields_desc = [ByteField("times", 1), ByteField("kept", 0), ShortField("node", 0),
                   BitField("boot", 0, 48), LongField("counter", 0), XIntField("send_next", 0),
                   XIntField("receive_next", 0), *_four_tuple()]


class MigdBlobSuspended(Packet):
    name = "migd blob: state of an application that has left"
    fields_desc = [*_text("application"), FieldLenField("size", None, length_of="state", fmt="I"),
                   StrLenField("state", b"", length_from=lambda packet: packet.size)]

    def extract_padding(self, payload):
        return b"", payload


class MigdBlobSuspendedStates(Packet):
    name = "migd blob: suspended states"
    fields_desc = [PacketListField("states", [], MigdBlobSuspended)]


class MigdBlobSection(Packet):
    """The value is the payload: bytes for 4 (to send), 5 (unread) and 8 (of the application)."""
    name = "migd blob: section"
    fields_desc = [ByteField("type", 0), FlagsField("flags", 0x80, 8, "0123456M"),
                   IntField("size", None)]

    def post_build(self, header, payload):
        if self.size is None:
            header = header[:2] + struct.pack(">I", len(payload))
        return header + payload

    def extract_padding(self, payload):
        return payload[:self.size], payload[self.size:]


for _number, _layer in {1: MigdBlobIdentity, 2: MigdBlobTuple, 3: MigdBlobTcp, 6: MigdBlobRanges,
                        7: MigdBlobSackBlocks, 9: MigdBlobMoves, 10: MigdBlobForwarded,
                        11: MigdBlobSuspendedStates, 12: MigdBlobRecovery,
                        13: MigdBlobSent, 14: MigdBlobPath, 15: MigdBlobProgress}.items():
    bind_layers(MigdBlobSection, _layer, type=_number)


class MigdBlob(Packet):
    name = "migd blob"
    fields_desc = [StrFixedLenField("magic", b"MIGB", 4), ShortField("version", 1),
                   ShortField("compatible", 1), PacketListField("sections", [], MigdBlobSection)]


def blob(identity, four_tuple, tcp, *, data=b"", unread=b"", ranges=(), sack=(), state=b"",
         older=0, moves=(), forwarded=None, suspended=(), recovery=None, sent=(), path=None,
         progress=None):
    """A blob with every section that it has, in the order in which they are written."""
    values = [MigdBlobSection() / identity, MigdBlobSection() / four_tuple,
              MigdBlobSection() / tcp, MigdBlobSection(type=4) / data,
              MigdBlobSection(type=5) / unread,
              MigdBlobSection() / MigdBlobRanges(ranges=list(ranges)),
              MigdBlobSection() / MigdBlobSackBlocks(blocks=list(sack)),
              MigdBlobSection(type=8) / state,
              MigdBlobSection() / forwarded if forwarded else MigdBlobSection(type=10),
              MigdBlobSection() / MigdBlobSuspendedStates(states=list(suspended)),
              MigdBlobSection(flags=0) / (recovery or MigdBlobRecovery()),
              MigdBlobSection(flags=0) / MigdBlobSent(ranges=list(sent)),
              MigdBlobSection(flags=0) / (path or MigdBlobPath()),
              MigdBlobSection(flags=0) / (progress or MigdBlobProgress()),
              MigdBlobSection(flags=0) / MigdBlobMoves(older=older, moves=list(moves))]
    return MigdBlob(sections=values)
