"""One self-contained page: timelines, roots, QR pictures, latency."""

import base64
import html
from pathlib import Path
from typing import Any

from scripts.journeys.plot import GUIDE
from scripts.journeys.story import Story, Told

# The colours of the paper forms: white where goods enter and leave abroad, which is told by a striped edge.
_WHITE = "repeating-linear-gradient(135deg,#fff 0 4px,#546e7a 4px 8px)"
_EDGE = {
    "VALIDATION": "#2e7d32", "PRE_EXPORTATION": "#f9a825", "EXPORTATION": "#f9a825", "REIMPORTATION": "#f9a825",
    "IMPORTATION": _WHITE, "REEXPORTATION": _WHITE, "TRANSIT_OPEN": "#1565c0", "TRANSIT_CLOSE": "#1565c0",
}  # fmt: skip
_REASONS = {
    "MISSING_REEXPORTATION": "Items {items} entered {territory} and no office has seen them leave.",
    "MISSING_REIMPORTATION": "Items {items} left {territory}, their home, and no office there has seen them come back.",
    "TRANSIT_NOT_CLOSED": "Items {items} began a transit through {territory} that no office has closed.",
}
_INTRO = """<p>An <b>ATA Carnet</b> is a passport for goods. An exhibitor takes a stand to a fair abroad, and home again, without paying
duties on the way: at each border an officer scans a code and commits what passes. Below, carnets are issued, signed on a phone and
carried across borders, while servers are killed and a disk is damaged on purpose.</p>
<p>When a carnet's last day is over, the system looks at what every officer has committed. <b>Terminated</b>: everything that left has
come back. <b>To check</b>: something is missing, and customs may ask its holder for duties; the reasons stand below. Until
the last day it is <b>N/A</b>. No server can read any of it: goods, worth and remarks are sealed where they are written.</p>"""
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fafafa}
h1{font-size:1.7rem}h2{margin-top:2.2rem;font-size:1.2rem}code{font-size:.85em}p,li{max-width:46rem}
.track{display:flex;gap:.4rem;align-items:center;flex-wrap:wrap;margin:.4rem 0 1.2rem}
.step{position:relative;border:1px solid #90a4ae;border-radius:.3rem;padding:.3rem .6rem .3rem 1.2rem;background:#fff}
.step::before{content:"";position:absolute;left:0;top:0;bottom:0;width:.6rem;border-radius:.3rem 0 0 .3rem;background:var(--c)}
.step small{display:block;color:#546e7a}.status{padding:.1rem .6rem;border-radius:1rem;background:#cfd8dc}
.status.Terminated{background:#c8e6c9}.status.To{background:#ffe0b2}
table{border-collapse:collapse}td,th{padding:.25rem .8rem;border-bottom:1px solid #cfd8dc;text-align:left}
.codes{display:flex;flex-wrap:wrap;gap:1rem}.codes figure{margin:0;text-align:center}.codes img{width:12rem;height:12rem;image-rendering:pixelated}
.one img{width:22rem;height:22rem;image-rendering:pixelated}.one figure{margin:0}
figcaption{font-size:.8rem;color:#546e7a}summary{cursor:pointer;margin:.8rem 0}
"""


def write(path: Path, story: Story, data: dict[str, Any], audit: str) -> None:
    """Writes the page; it loads nothing from anywhere."""
    carnets = "".join(_timeline(story, carnet) for carnet in data["carnets"])
    guide = _track(story, GUIDE.number)
    roots = "".join(
        f"<tr><td>{html.escape(r['name'])}</td><td>{r['size']}</td><td><code>{r['root']}</code></td></tr>"
        for r in data["replicas"]
    )
    events = "".join(f"<li>{html.escape(event)}</li>" for event in story.events)
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>eATA demo</title><style>{_STYLE}</style>
<h1>{len(data["carnets"]) + 1} carnets, six replicas</h1>
{_INTRO}
<p>{data["commits"]} commits, {data["lost"]} lost. Half of them took up to {data["p50_ms"]} ms, all but one in a hundred up to {data["p99_ms"]} ms.
An auditor replayed the whole log: {html.escape(audit)}.</p>
<h2>What happened</h2><ol>{events}</ol>
<h2>The carnets and their journeys</h2><p>A striped edge: in and out abroad. Yellow: out of home and back. Green: validated. Blue: transit.</p>{carnets}
<h3>{GUIDE.number}, the example of the officers' guide</h3>{guide}
<h2>Six replicas, one truth</h2><p>Each server holds everything. Equal roots mean that all six hold the same, to the last byte.</p><table><tr><th>replica</th><th>size</th><th>Merkle root</th></tr>{roots}</table>
<h2>Commit latency</h2>{_histogram([told.ms for told in story.told])}
<h2>A receipt</h2><p>This picture proves one commit by itself, with no network: more than half of the servers have signed it.</p>
<div class="one">{_figure(path.parent, story.told[0])}</div>
<details><summary>The other {len(story.told) - 1} receipts</summary>
<div class="codes">{"".join(_figure(path.parent, told) for told in story.told[1:])}</div></details></html>
"""
    path.write_text(page, encoding="utf-8")


def _timeline(story: Story, carnet: dict[str, Any]) -> str:
    reasons = " ".join(_REASONS[r["kind"]].format(**r) for r in carnet["reasons"])
    first = carnet["status"].split()[0]
    return (
        f'<h3>{carnet["number"]} <span class="status {first}">{carnet["status"]}</span></h3>'
        f"{_track(story, carnet['number'])}<p>On the last valid day: {carnet['status_on_last_day']}. "
        f"The day after: {carnet['status']}. {html.escape(reasons)}</p>"
    )


def _track(story: Story, number: str) -> str:
    steps = "".join(
        f'<span class="step" style="--c:{_EDGE.get(told.scene.kind, "#90a4ae")}">{_kind(told)} '
        f"{told.scene.items}<small>{html.escape(told.scene.office)} · index {told.index} · {told.ms:.0f} ms</small></span>"
        for told in story.told
        if told.play.number == number
    )
    return f'<div class="track">{steps}</div>'


def _kind(told: Told) -> str:
    return told.scene.kind.replace("_", " ").capitalize()


def _histogram(values: list[float]) -> str:
    """Counts per 5 ms as an inline SVG, with both axes."""
    width, left, high = 5.0, 40, 120
    bins = [0] * (int(max(values) // width) + 1)
    for value in values:
        bins[int(value // width)] += 1
    top, step = max(bins), max(640 / len(bins), 6)
    bars = "".join(
        f'<rect x="{left + n * step:.1f}" y="{high - 110 * count / top:.1f}" width="{step - 1:.1f}" height="{110 * count / top:.1f}" '
        f'fill="#1565c0"><title>{count} commits in {n * width:.0f}–{(n + 1) * width:.0f} ms</title></rect>'
        for n, count in enumerate(bins)
    )
    every = max(len(bins) // 8, 1)
    ticks = "".join(
        f'<line x1="{left + n * step:.1f}" x2="{left + n * step:.1f}" y1="{high}" y2="{high + 4}" stroke="#546e7a"/>'
        f'<text x="{left + n * step:.1f}" y="{high + 17}" font-size="11" text-anchor="middle">{n * width:.0f}</text>'
        for n in range(0, len(bins) + 1, every)
    )
    end = left + len(bins) * step
    axes = (
        f'<line x1="{left}" x2="{end:.0f}" y1="{high}" y2="{high}" stroke="#546e7a"/>'
        f'<line x1="{left}" x2="{left}" y1="10" y2="{high}" stroke="#546e7a"/>'
        f'<text x="{left - 6}" y="15" font-size="11" text-anchor="end">{top}</text>'
        f'<text x="{left - 6}" y="{high}" font-size="11" text-anchor="end">0</text>'
        f'<text x="{(left + end) / 2:.0f}" y="{high + 32}" font-size="12" text-anchor="middle">milliseconds from the scan to the receipt; height: commits</text>'
    )
    return f'<svg viewBox="0 0 {end + 20:.0f} 156" width="100%" height="190" role="img" aria-label="Commit latency">{bars}{axes}{ticks}</svg>'


def _figure(folder: Path, told: Told) -> str:
    picture = base64.b64encode((folder / told.receipt["qr"]).read_bytes()).decode()
    caption = f"{told.play.number} {_kind(told)}<br>{html.escape(told.receipt['why'])}"
    return f'<figure><img alt="Receipt of index {told.index}" src="data:image/png;base64,{picture}"><figcaption>{caption}</figcaption></figure>'
