"""Rates and latencies of one run as a picture: every measurement a dot, the rounds beside each other."""

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure as Picture

from benchmarks.measuring import Figure

_COLOURS = {"1 at once": "#4477aa", "64 at once": "#ee6677"}
_OTHER = "#228833"


def draw(figures: Sequence[Figure]) -> str:
    """An SVG: calls a second on the left, p50 with a whisker to p99 on the right, both logarithmic."""
    matplotlib.rcParams["svg.hashsalt"] = "eata"
    names = list(dict.fromkeys(figure.what for figure in figures))
    picture = Picture(figsize=(11, 1.2 + 0.5 * len(names)), layout="constrained")
    rates, latencies = picture.subplots(1, 2, sharey=True)
    for figure in figures:
        row, colour = names.index(figure.what), _COLOURS.get(figure.load, _OTHER)
        rates.plot(figure.per_second, row, "o", color=colour, alpha=0.7)
        latencies.plot([figure.p50_ms, figure.p99_ms], [row, row], "-", color=colour, alpha=0.4)
        latencies.plot(figure.p50_ms, row, "o", color=colour, alpha=0.7)
    for axes, title in ((rates, "calls a second"), (latencies, "ms, p50 to p99")):
        axes.set_xscale("log")
        axes.set_xlabel(title)
        axes.grid(axis="x", which="both", alpha=0.3)
    rates.set_yticks(range(len(names)), names)
    rates.invert_yaxis()
    for load in dict.fromkeys(figure.load for figure in figures):
        latencies.plot([], [], "o", color=_COLOURS.get(load, _OTHER), label=load)
    latencies.legend(loc="best", fontsize="small")
    out = io.StringIO()
    picture.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
