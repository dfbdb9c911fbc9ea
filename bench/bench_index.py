#!/usr/bin/env python3
"""Runs bench_index and writes bench/results/index.tsv, index.md and index.svg.

Usage: bench_index.py BINARY [ENTRIES...]      measure, then write
       bench_index.py --tsv FILE               write from figures already measured
"""
import collections
import math
import os
import pathlib
import platform
import subprocess
import sys

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
NAMES = {
    "avx512": "Imprint, AVX-512",
    "avx2": "Imprint, AVX2",
    "neon": "Imprint, NEON",
    "portable": "Imprint, portable C",
    "faiss-multihash": "FAISS MultiHash(256,16,16)",
    "faiss-flat": "FAISS Flat",
}
COLOURS = {
    "avx512": "#0b6", "avx2": "#07c", "neon": "#07c", "portable": "#85c",
    "faiss-multihash": "#c40", "faiss-flat": "#888",
}


def command(*arguments):
    try:
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine():
    model = platform.machine()
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    here = str(pathlib.Path(__file__).resolve().parent)
    commit = command("git", "-C", here, "rev-parse", "--short", "HEAD") or "unknown"
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return [f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
            f"commit {commit}", f"load at the end {load}"]


def measure(binary, sizes):
    output = subprocess.run([binary, *sizes], stdout=subprocess.PIPE, text=True, check=True).stdout
    return ["# " + "; ".join(machine())] + output.splitlines()


def read(lines):
    figures = collections.OrderedDict()
    for line in lines:
        if not line.startswith("#") and line.strip():
            section, entries, engine, threshold, hashes, metric, value = line.split("\t")
            key = (section, int(entries), engine, int(threshold), int(hashes), metric)
            figures[key] = float(value)
    return figures


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    out += ["| " + " | ".join(row) + " |" for row in rows]
    return out + [""]


def searches(figures, sizes, thresholds):
    out = ["## Searches", "",
           "Microseconds of processor time a query, one thread; p50 and p99 are wall time.", ""]
    rows = []
    for size in sizes:
        for engine, name in NAMES.items():
            for hashes in (1, 8):
                row = [f"{size:,}", name, str(hashes)]
                for threshold in thresholds:
                    at = ("search", size, engine, threshold, hashes)
                    if at + ("cpu_us",) in figures:
                        row.append(f"{number(figures[at + ('cpu_us',)])} "
                                   f"({number(figures[at + ('p50_us',)])}, "
                                   f"{number(figures[at + ('p99_us',)])})")
                    else:
                        row.append("")
                if any(row[3:]):
                    rows.append(row)
    head = ["entries", "engine", "hashes"] + [f"threshold {t}: cpu (p50, p99)" for t in thresholds]
    return out + table(head, rows)


def ratios(figures, sizes, thresholds):
    rows = []
    for size in sizes:
        for other in ("faiss-multihash", "faiss-flat"):
            row = [f"{size:,}", NAMES[other]]
            for threshold in thresholds:
                ours = figures.get(("search", size, "avx512", threshold, 1, "cpu_us"))
                theirs = figures.get(("search", size, other, threshold, 1, "cpu_us"))
                row.append(f"{theirs / ours:,.0f}x" if ours and theirs else "")
            if any(row[2:]):
                rows.append(row)
    if not rows:
        return ["FAISS was not there when the benchmark was built.", ""]
    return ["## Times as quick as FAISS (AVX-512, one hash)", ""] + table(
        ["entries", "against"] + [f"threshold {t}" for t in thresholds], rows)


def answers(figures):
    recalls = [v for k, v in figures.items() if k[5] == "recall"]
    wrong = sum(v for k, v in figures.items() if k[5] == "wrong")
    expected = sum(v for k, v in figures.items() if k[5] == "expected")
    return ["## Answers", "",
            f"Against a linear scan, over all engines: {len(recalls)} settings, {expected:,.0f} pairs "
            f"within the threshold, lowest recall {min(recalls):.6g}, {wrong:.0f} wrong hits.", ""]


def metrics(figures, section, title, note):
    rows = [[f"{k[1]:,}", NAMES.get(k[2], k[2]), k[5], number(v)]
            for k, v in figures.items() if k[0] == section]
    return [f"## {title}", "", note, ""] + table(["entries", "engine", "figure", "value"], rows)


def write_markdown(header, figures):
    sizes = sorted({k[1] for k in figures})
    thresholds = sorted({k[3] for k in figures if k[0] == "search"})
    out = ["# The index, measured", "", header.lstrip("# "), "",
           "Written by `bench/bench_index.py`; the data are described in `bench/bench_data.h`.", "",
           "![Time of a search by number of entries](index.svg)", ""]
    out += searches(figures, sizes, thresholds) + ratios(figures, sizes, thresholds)
    out += answers(figures)
    out += metrics(figures, "build", "Building and memory", "Resident memory gained, by entry.")
    out += metrics(figures, "merge", "Merging",
                   "`changes` within five seconds and one merge after another at nice 19, beside a reader "
                   "without a pause. Peaks are multiples of the memory before.")
    out += metrics(figures, "pauses", "A reader's waits",
                   "Threshold 31; quiet, and during the storm above. Wall time holds the scheduler's "
                   "slices for others, processor time does not; `waits` counts how often the reader "
                   "gave up its processor of its own accord.")
    out += metrics(figures, "shape", "The data", "Between strangers. Independent bits: 128, 64, 0.415.")
    (RESULTS / "index.md").write_text("\n".join(out).rstrip() + "\n")


def write_svg(figures):
    series = collections.OrderedDict()
    for key, value in figures.items():
        if key[0] == "search" and key[3] == 31 and key[4] == 1 and key[5] == "cpu_us":
            series.setdefault(key[2], []).append((key[1], value))
    xs = [math.log10(x) for points in series.values() for x, _ in points]
    ys = [math.log10(y) for points in series.values() for _, y in points]
    x0, x1, y0, y1 = min(xs), max(xs), math.floor(min(ys)), math.ceil(max(ys))
    x1 = x1 if x1 > x0 else x0 + 1

    def place(x, y):
        return (80 + 460 * (math.log10(x) - x0) / (x1 - x0),
                370 - 330 * (math.log10(y) - y0) / (y1 - y0))

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="780" height="430" '
           'font-family="sans-serif" font-size="13">',
           '<rect width="780" height="430" fill="white"/>',
           '<text x="80" y="24" font-size="15">One search, threshold 31, one hash, one thread: '
           'microseconds of processor time</text>']
    for power in range(y0, y1 + 1):
        _, y = place(10 ** x0, 10 ** power)
        out.append(f'<line x1="80" x2="540" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="72" y="{y + 4:.1f}" text-anchor="end">{10.0 ** power:,g}</text>')
    for entries in sorted({x for points in series.values() for x, _ in points}):
        x, _ = place(entries, 10 ** y0)
        out.append(f'<text x="{x:.1f}" y="392" text-anchor="middle">{entries:,}</text>')
    out.append('<text x="310" y="416" text-anchor="middle">entries</text>')
    labels = []
    for engine, points in series.items():
        points.sort()
        colour = COLOURS.get(engine, "#000")
        line = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += ['<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>'.format(*place(*point), colour)
                for point in points]
        labels.append([place(*points[-1])[1], engine, points[-1][1], colour])
    bottom = 0.0
    for y, engine, value, colour in sorted(labels):
        bottom = max(y + 4, bottom + 16)
        out.append(f'<text x="552" y="{bottom:.1f}" fill="{colour}">'
                   f'{NAMES.get(engine, engine)}: {number(value)}</text>')
    out.append("</svg>")
    (RESULTS / "index.svg").write_text("\n".join(out) + "\n")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    RESULTS.mkdir(exist_ok=True)
    if sys.argv[1] == "--tsv":
        lines = pathlib.Path(sys.argv[2]).read_text().splitlines()
    else:
        lines = measure(sys.argv[1], sys.argv[2:])
    (RESULTS / "index.tsv").write_text("\n".join(lines) + "\n")
    figures = read(lines)
    write_markdown(lines[0] if lines[0].startswith("#") else "", figures)
    write_svg(figures)


if __name__ == "__main__":
    main()
