"""scripts/plot: what is drawn of a table."""
import json
import os
import subprocess
import xml.etree.ElementTree as xml

HERE = os.path.dirname(os.path.abspath(__file__))
PLOT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "scripts", "plot")
SVG = "{http://www.w3.org/2000/svg}"
ROW = {"table": "scale", "row": "a", "unit": "us", "ours": 3.0, "ratio": 1.5, "target": 2.0,
       "target_of": "ratio", "met": True, "error": None}


def plot(folder, rows):
    return subprocess.run(["/usr/bin/python3", "-B", PLOT, str(folder)], input=rows,
                          capture_output=True, text=True, check=False, timeout=60)


def drawn(folder, *rows):
    done = plot(folder, json.dumps(rows))
    assert done.returncode == 0, done.stderr
    return xml.parse(folder / "scale.svg").getroot()


def bars(svg):
    return [bar for bar in svg.iter(SVG + "rect") if bar.get("x") is not None]


def texts(svg):
    return [text.text for text in svg.iter(SVG + "text")]


def test_one_file_for_each_table(tmp_path):
    done = plot(tmp_path, json.dumps([ROW, dict(ROW, table="engine")]))
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["engine.svg", "scale.svg"]


def test_a_bar_is_as_long_as_its_ratio_is_far_from_one(tmp_path):
    svg = drawn(tmp_path, ROW, dict(ROW, row="b", ratio=2.25), dict(ROW, row="c", ratio=1 / 1.5))
    first, twice, other_side = bars(svg)
    width = float(first.get("width"))
    assert width > 10
    assert abs(float(twice.get("width")) - 2 * width) < 1
    assert abs(float(other_side.get("width")) - width) < 1
    assert abs(float(other_side.get("x")) + width - float(first.get("x"))) < 1
    assert {"a", "b", "c", "1.5", "2.25"} <= set(texts(svg))


def test_what_has_no_opponent_is_compared_with_its_target(tmp_path):
    svg = drawn(tmp_path, dict(ROW, ratio=None, target_of="ours", ours=6.0, met=False),
                dict(ROW, row="b"))
    missed, met = bars(svg)
    assert "3" in texts(svg)
    assert missed.get("fill") != met.get("fill")


def test_what_was_not_measured_has_no_bar(tmp_path):
    svg = drawn(tmp_path,
                dict(ROW, ours=None, ratio=None, met=False, error="the opponent <is> gone"),
                dict(ROW, row="b", target=None, ratio=None, met=None))
    assert not bars(svg)
    assert "not measured" in texts(svg) and "3 us" in texts(svg)


def test_what_is_no_table_is_refused(tmp_path):
    done = plot(tmp_path, "no JSON")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("plot: ")
    assert os.listdir(tmp_path) == []
