"""The report's map with 100,000 points in headless Chromium: frames, hovering, search, page size.

    python benchmarks/report_map.py RUN [--points 100000]

RUN gives the rest of the page; its points are replaced by made-up ones. The browser draws in
software, as on a machine without a graphics card.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import numpy as np
from density_worlds import write_down

import kdos.report.page
from kdos.report.point_map import COORDINATE_RANGE, MapLayer, build_colour_classes, build_colour_ramp
from kdos.report.saved_run import read_saved_run

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.report.test_browser import a_page

MEASURE = """(async () => {
  const canvas = document.getElementById("canvas");
  canvas.scrollIntoView({behavior: "instant", block: "center"});
  const box = canvas.getBoundingClientRect();
  const middle = {clientX: box.left + box.width / 2, clientY: box.top + box.height / 2};
  const flags = {bubbles: true, cancelable: true};
  const frames = [], hovers = [], searches = [];
  let last = performance.now();
  for (let i = 0; i < 120; i++) {
    const deltaY = i % 30 < 15 ? -40 : 40;
    canvas.dispatchEvent(new WheelEvent("wheel", {deltaY, ...middle, ...flags}));
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last = performance.now();
  }
  for (let i = 0; i < 40; i++) {
    const begun = performance.now();
    const place = {clientX: box.left + 100 + 10 * i, clientY: box.top + 200};
    canvas.dispatchEvent(new PointerEvent("pointermove", {...place, ...flags}));
    hovers.push(performance.now() - begun);
  }
  const field = document.getElementById("search");
  for (const word of ["topic 7 ", "engine 12", "7 cylinders"]) {
    const begun = performance.now();
    field.value = word;
    field.dispatchEvent(new Event("input"));
    searches.push(performance.now() - begun);
  }
  const middleOf = (list) => list.sort((a, b) => a - b)[list.length >> 1];
  return {frame_ms: middleOf(frames), hover_ms: middleOf(hovers), search_ms: middleOf(searches)};
})()"""


def made_up_layer(n: int) -> MapLayer:
    """Points in 60 heaps."""
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 60, n)
    x, y = (
        np.clip(rng.uniform(0, COORDINATE_RANGE, 60)[topic] + rng.normal(0, 2500, n), 0, COORDINATE_RANGE).astype(int)
        for _ in range(2)
    )
    return MapLayer(
        name="made-up points",
        total=n,
        x=x,
        y=y,
        text=[f"Engine {i} of topic {t} has {i % 17} cylinders." for i, t in enumerate(topic)],
        colourings=[
            build_colour_ramp("log10 density", rng.normal(size=n)),
            build_colour_classes("domain", [f"topic {t}" for t in topic]),
        ],
    )


async def measure(path: Path, ratio: int) -> dict[str, float]:
    """Milliseconds for a frame, a hover and a search, at `ratio` device pixels per pixel."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        async with a_page(Path(profile)) as page:
            metrics = {"width": 1280, "height": 900, "deviceScaleFactor": ratio, "mobile": False}
            await page.call("Emulation.setDeviceMetricsOverride", **metrics)
            await page.open(path)
            reply = await page.call("Runtime.evaluate", expression=MEASURE, awaitPromise=True, returnByValue=True)
            found = reply["result"]["value"]
            return {**found, "frames_per_second": 1000 / found["frame_ms"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--points", type=int, default=100_000)
    args = parser.parse_args()
    kdos.report.page.build_map_layers = lambda _: [made_up_layer(args.points)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.html"
        path.write_text(kdos.report.page.render_page(read_saved_run(args.run)), encoding="utf-8")
        rows = [{"points": args.points, "ratio": ratio, **asyncio.run(measure(path, ratio))} for ratio in (1, 2)]
        write_down("report_map", {"map": rows, "page_bytes": path.stat().st_size})


if __name__ == "__main__":
    main()
