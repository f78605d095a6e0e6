# SPDX-License-Identifier: BSD-2-Clause
"""A plot as SVG text: lines of a cost over a number of sessions, both axes logarithmic."""
import math

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 30, 50
COLOURS = ("#1b6ca8", "#c0392b", "#27864b", "#8e44ad", "#b9770e", "#117a8b", "#555555", "#d35490")


def decades(values):
    """The whole powers of ten around all values."""
    least, most = min(values), max(values)
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
    return list(range(first, max(last, first + 1) + 1))


def short(power):
    """10^power for people: 1,000 or 0.1"""
    return f"{10 ** power:,}" if power >= 0 else f"{10.0 ** power:g}"


class Axes:
    """Where a pair of values is in the picture."""

    def __init__(self, xs, ys):
        self.x_decades, self.y_decades = decades(xs), decades(ys)

    def x(self, value):
        return self._at(value, self.x_decades, LEFT, WIDTH - RIGHT)

    def y(self, value):
        return self._at(value, self.y_decades, HEIGHT - BOTTOM, TOP)

    @staticmethod
    def _at(value, powers, begin, end):
        return begin + (math.log10(value) - powers[0]) / (powers[-1] - powers[0]) * (end - begin)


def text(x, y, words, anchor="middle", colour="#333333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def grid(axes, x_title, y_title):
    for power in axes.x_decades:
        x = axes.x(10.0 ** power)
        yield f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#dddddd"/>'
        yield text(x, HEIGHT - BOTTOM + 18, short(power))
    for power in axes.y_decades:
        y = axes.y(10.0 ** power)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
        yield text(LEFT - 8, y + 4, short(power), "end")
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title)
    yield text(LEFT, TOP - 12, y_title, "start")


def spread_out(places, apart=14):
    """Labels at these heights, none nearer to the one above than so much."""
    out, last = {}, -math.inf
    for name, y in sorted(places.items(), key=lambda item: item[1]):
        last = max(y, last + apart)
        out[name] = last
    return out


def svg(lines, x_title, y_title):
    """lines: {name: [(x, y)...]}, all above 0."""
    points = [point for line in lines.values() for point in line]
    axes = Axes([x for x, _ in points], [y for _, y in points])
    labels = spread_out({name: axes.y(sorted(line)[-1][1]) for name, line in lines.items()})
    parts = list(grid(axes, x_title, y_title))
    for colour, (name, line) in zip(COLOURS * len(lines), lines.items()):
        way = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in sorted(line))
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.extend(f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3" fill="{colour}"/>'
                     for x, y in line)
        parts.append(text(WIDTH - RIGHT + 8, labels[name] + 4, name, "start", colour))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *parts, "</svg>", ""])
