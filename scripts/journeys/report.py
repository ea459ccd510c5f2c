"""One self-contained page: timelines, roots, QR pictures, latency."""

import base64
import html
from pathlib import Path
from typing import Any

from scripts.journeys.plot import GUIDE
from scripts.journeys.story import Story, Told

_COLOUR = {
    "VALIDATION": "#2e7d32", "EXPORTATION": "#f9a825", "REIMPORTATION": "#f9a825", "IMPORTATION": "#eceff1",
    "REEXPORTATION": "#eceff1", "TRANSIT_OPEN": "#1565c0", "TRANSIT_CLOSE": "#1565c0",
}  # fmt: skip
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fafafa}
h1{font-size:1.7rem}h2{margin-top:2.2rem;font-size:1.2rem}code{font-size:.85em}
.track{display:flex;gap:.4rem;align-items:center;flex-wrap:wrap;margin:.4rem 0 1.2rem}
.step{border:1px solid #90a4ae;border-left:.6rem solid var(--c);border-radius:.3rem;padding:.3rem .6rem;background:#fff}
.step small{display:block;color:#546e7a}.status{padding:.1rem .6rem;border-radius:1rem;background:#cfd8dc}
.status.Terminated{background:#c8e6c9}.status.To{background:#ffe0b2}
table{border-collapse:collapse}td,th{padding:.25rem .8rem;border-bottom:1px solid #cfd8dc;text-align:left}
.codes{display:flex;flex-wrap:wrap;gap:1rem}.codes figure{margin:0;text-align:center}.codes img{width:12rem;height:12rem;image-rendering:pixelated}
figcaption{font-size:.8rem;color:#546e7a}
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
<p>{data["commits"]} commits, {data["lost"]} lost, p50 {data["p50_ms"]} ms, p99 {data["p99_ms"]} ms. Audit: {html.escape(audit)}.</p>
<h2>What happened</h2><ol>{events}</ol>
<h2>The carnets of the seed</h2>{carnets}
<h2>The guide's carnet, {GUIDE.number}</h2>{guide}
<h2>Six roots</h2><table><tr><th>replica</th><th>size</th><th>Merkle root</th></tr>{roots}</table>
<h2>Commit latency</h2>{_histogram([told.ms for told in story.told])}
<h2>Receipts</h2><div class="codes">{"".join(_figure(path.parent, told) for told in story.told)}</div></html>
"""
    path.write_text(page, encoding="utf-8")


def _timeline(story: Story, carnet: dict[str, Any]) -> str:
    reasons = "; ".join(f"{r['kind']} {r['territory']} {r['items']}" for r in carnet["reasons"])
    first = carnet["status"].split()[0]
    return (
        f'<h3>{carnet["number"]} <span class="status {first}">{carnet["status"]}</span></h3>'
        f"{_track(story, carnet['number'])}<p>On the last valid day: {carnet['status_on_last_day']}. "
        f"The day after: {carnet['status']}. {html.escape(reasons)}</p>"
    )


def _track(story: Story, number: str) -> str:
    steps = "".join(
        f'<span class="step" style="--c:{_COLOUR.get(told.scene.kind, "#90a4ae")}">{told.scene.kind.title()} '
        f"{told.scene.items}<small>{html.escape(told.scene.office)} · index {told.index} · {told.ms:.0f} ms</small></span>"
        for told in story.told
        if told.play.number == number
    )
    return f'<div class="track">{steps}</div>'


def _histogram(values: list[float]) -> str:
    """Counts per 5 ms as an inline SVG."""
    width = 5.0
    bins = [0] * (int(max(values) // width) + 1)
    for value in values:
        bins[int(value // width)] += 1
    top, step = max(bins), max(640 / len(bins), 6)
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{120 - 110 * count / top:.1f}" width="{step - 1:.1f}" height="{110 * count / top:.1f}" '
        f'fill="#1565c0"><title>{count} commits in {n * width:.0f}–{(n + 1) * width:.0f} ms</title></rect>'
        for n, count in enumerate(bins)
    )
    labels = f'<text x="0" y="138" font-size="12">0 ms</text><text x="{len(bins) * step:.0f}" y="138" font-size="12" text-anchor="end">{len(bins) * width:.0f} ms</text>'
    return f'<svg viewBox="0 0 {len(bins) * step:.0f} 142" width="100%" height="160" role="img" aria-label="Commit latency">{bars}{labels}</svg>'


def _figure(folder: Path, told: Told) -> str:
    picture = base64.b64encode((folder / told.receipt["qr"]).read_bytes()).decode()
    caption = f"{told.play.number} {told.scene.kind.title()}<br>{html.escape(told.receipt['why'])}"
    return f'<figure><img alt="Receipt of index {told.index}" src="data:image/png;base64,{picture}"><figcaption>{caption}</figcaption></figure>'
