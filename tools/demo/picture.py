#!/usr/bin/env python3
"""Draws a picture out of nothing but a seed: soft light, hills, a few discs. Writes a PPM to standard output.

usage: picture.py SEED WIDTH HEIGHT
"""
import math
import random
import sys


def scene(seed: int):
    draw = random.Random(seed)
    waves = [(draw.uniform(0.5, 6), draw.uniform(0.5, 6), draw.uniform(0, 6.3), draw.uniform(10, 30))
             for _ in range(7)]
    discs = [(draw.random(), draw.random(), draw.uniform(0.05, 0.22), [draw.randrange(256) for _ in "rgb"])
             for _ in range(9)]
    tint = [draw.uniform(0.7, 1.2) for _ in "rgb"]
    return waves, discs, tint


def pixel(x: float, y: float, waves, discs, tint):
    light = 120 + sum(a * math.sin(fx * x * 6.28 + fy * y * 6.28 + phase) for fx, fy, phase, a in waves)
    colour = [light * t for t in tint]
    for cx, cy, radius, paint in discs:
        inside = radius - math.hypot(x - cx, y - cy)
        if inside > 0:
            cover = min(1.0, inside * 60)
            colour = [c + (p - c) * cover for c, p in zip(colour, paint)]
    return bytes(max(0, min(255, int(c))) for c in colour)


def main() -> None:
    seed, width, height = (int(argument) for argument in sys.argv[1:4])
    waves, discs, tint = scene(seed)
    out = sys.stdout.buffer
    out.write(b"P6 %d %d 255\n" % (width, height))
    for row in range(height):
        out.write(b"".join(pixel(column / width, row / height, waves, discs, tint) for column in range(width)))


if __name__ == "__main__":
    main()
