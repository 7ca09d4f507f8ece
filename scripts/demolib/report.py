"""The table of the moves, and the verdict."""
from .evidence import COUNTS

AFTER_ACTIVATION_NS = 50_000_000


def percentiles(values_ns):
    if not values_ns:
        return {"p50": None, "p99": None, "max": None}
    ordered = sorted(values_ns)
    at = lambda q: round(ordered[min(len(ordered) - 1, int(q * len(ordered)))] / 1000, 1)
    return {"p50": at(0.5), "p99": at(0.99), "max": round(ordered[-1] / 1000, 1)}


def measure(moves, connection, direction):
    """Adds to each move what the capture says of it: the gap, and the bytes since the last move."""
    previous = connection.first_ns
    for move in moves:
        move["gap_ns"] = connection.longest_silence(direction, move["frozen_ns"],
                                                    move["activated_ns"] + AFTER_ACTIVATION_NS)
        move["bytes"] = connection.bytes_between(direction, previous, move["frozen_ns"])
        previous = move["frozen_ns"]


def silences(moves, moved, control, direction):
    """What the gaps would be without a move: the longest silences of the control, in intervals as
    long, as far behind its beginning."""
    found = []
    for move in moves:
        start = control.first_ns + move["frozen_ns"] - moved.first_ns
        length = move["freeze_ns"] + AFTER_ACTIVATION_NS
        if start + length < control.last_ns:
            found.append(control.longest_silence(direction, start, start + length))
    return [silence for silence in found if silence is not None]


def print_moves(title, moves, names, say):
    say("")
    say(f"{title}")
    say(f"  {'move':>4}  {'from':5} {'to':5} {'bytes before':>13} {'blob':>8} "
        f"{'freeze us':>10} {'gap us':>8}")
    for number, move in enumerate(moves, 1):
        gap = "-" if move["gap_ns"] is None else f"{move['gap_ns'] / 1000:.0f}"
        say(f"  {number:4}  {names.get(move['source'], '?'):5} {names.get(move['target'], '?'):5} "
            f"{move['bytes']:13} {move['blob_bytes']:8} {move['freeze_ns'] / 1000:10.0f} {gap:>8}")


def print_counts(moved, control, say):
    say("")
    say(f"  {'in the capture of the client':28} {'moved':>8} {'control':>8}")
    for name in COUNTS:
        say(f"  {name:28} {moved[name]:8} {control[name]:8}")


def broken(result):
    """What is wrong whatever the machine does; empty when nothing is."""
    wrong = [f"{name} is false" for name in ("sha256_ok", "upload_sha256_ok", "relay_ok")
             if not result[name]]
    if result["migrations"] < 30:
        wrong.append(f"only {result['migrations']} migrations")
    if result["client_syn"] != result["connections"]:
        wrong.append(f"{result['client_syn']} SYNs for {result['connections']} connections")
    if result["client_rst"]:
        wrong.append(f"{result['client_rst']} RSTs")
    if result["capture_drops"]:
        wrong.append(f"the capture missed {result['capture_drops']} packets")
    return wrong


def missed(result):
    """Figures that do not hold; a machine that stands still spoils them with or without a move."""
    wrong = []
    for name in COUNTS[2:]:
        if result[name] > result["control"][name]:
            wrong.append(f"{name}: {result[name]}, in the control {result['control'][name]}")
    if result["throughput_ratio"] < 0.8:
        wrong.append(f"throughput is {result['throughput_ratio']} of the control's")
    if result["gap_us"]["p50"] is None or result["gap_us"]["p50"] >= 1000:
        wrong.append(f"half of the gaps are longer than {result['gap_us']['p50']} us; of the "
                     f"control's silences in intervals as long, than "
                     f"{result['control']['gap_us']['p50']} us")
    if result["bytes_between_moves_min"] < 1 << 20:
        wrong.append(f"only {result['bytes_between_moves_min']} bytes between two moves")
    return wrong
