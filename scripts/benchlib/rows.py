"""What a row of a table is, and how it is shown. Nothing here has side effects."""
import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    row: str
    unit: str = ""
    values: list = dataclasses.field(default_factory=list)           # ours, one for each run
    against: str = None                                              # who the opponent is
    opponent_values: list = dataclasses.field(default_factory=list)
    target: float = None                                             # at most, or
    at_least: bool = False
    target_of: str = "ours"                                          # or "ratio"
    note: str = ""
    error: str = None
    table: str = ""

    def __post_init__(self):
        if not self.error and not self.values:
            self.error = "nothing was measured"
        if not self.error and self.against and not self.opponent_values:
            self.error = f"the opponent is missing: {self.against}"

    @property
    def ours(self):
        return statistics.median(self.values) if self.values else None

    @property
    def opponent(self):
        return statistics.median(self.opponent_values) if self.opponent_values else None

    @property
    def ratio(self):
        return self.ours / self.opponent if self.values and self.opponent else None

    @property
    def met(self):
        if self.error:
            return False
        if self.target is None:
            return None
        value = self.ratio if self.target_of == "ratio" else self.ours
        return value is not None and (value >= self.target if self.at_least
                                      else value <= self.target)

    def to_json(self):
        return {"table": self.table, "row": self.row, "unit": self.unit,
                "ours": _short(self.ours), "min": _short(min(self.values, default=None)),
                "max": _short(max(self.values, default=None)), "runs": len(self.values),
                "against": self.against, "opponent": _short(self.opponent),
                "opponent_min": _short(min(self.opponent_values, default=None)),
                "opponent_max": _short(max(self.opponent_values, default=None)),
                "ratio": _short(self.ratio), "target": self.target, "target_of": self.target_of,
                "at_least": self.at_least,
                "met": self.met, "note": self.note, "error": self.error}


def _short(value):
    """Four significant digits."""
    return None if value is None else float(f"{value:.4g}")


def text(rows):
    lines = []
    for row in (row.to_json() for row in rows):
        if row["error"]:
            lines.append(f"{row['row']:16} not measured: {row['error']}")
            continue
        line = f"{row['row']:16} {_spread(row, '')} {row['unit']}"
        if row["against"]:
            line += f"; {row['against']}: {_spread(row, 'opponent_')}"
            line += "" if row["ratio"] is None else f"; ratio {row['ratio']}"
        if row["target"] is not None:
            of = "ratio " if row["target_of"] == "ratio" else ""
            bound = "at least" if row["at_least"] else "at most"
            line += f"; target: {of}{bound} {row['target']}: {'met' if row['met'] else 'NOT MET'}"
        lines.append(line + (f"\n{'':16} {row['note']}" if row["note"] else ""))
    return "\n".join(lines)


def _spread(row, prefix):
    median = row[prefix.rstrip("_") or "ours"]
    return f"{median} ({row[prefix + 'min']} to {row[prefix + 'max']})"
