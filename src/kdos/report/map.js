"use strict";
(async () => {
  const at = (id) => document.getElementById(id);
  const canvas = at("canvas"), context = canvas.getContext("2d"), tip = at("tip");
  const FOUND_SHOWN = 40, REACH = 14, NEAREST = 40, CLASS_COLOURS = 9, RAMP_COLOURS = 8;

  async function unpack() {
    const bytes = Uint8Array.from(atob(at("points").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const unpacked = JSON.parse(await new Response(stream).text());
    for (const layer of unpacked) [layer.x, layer.y] = [Uint16Array.from(layer.x), Uint16Array.from(layer.y)];
    return unpacked;
  }

  let layers;
  try {
    layers = await unpack();
  } catch (error) {
    at("count").textContent = "This browser cannot unpack the map. Any browser from 2023 on can.";
    return;
  }
  let layer = layers[0], colouring = layer.colourings[0];
  let single = null, hits = null, hovered = -1, view = d3.zoomIdentity;
  let width = 1, height = 1, ratio = 1, image, pixels, palette, asked = false;
  let order = [], front = [], back = [], inks = [];

  // Colours come from the style sheet, so that the map follows light and dark.
  function colourOf(name) {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    return new Uint32Array(probe.getImageData(0, 0, 1, 1).data.buffer)[0];
  }

  function readPalette() {
    const named = (letter, n) => Array.from({ length: n }, (_, i) => colourOf(`--${letter}${i}`));
    palette = {
      ramp: named("d", RAMP_COLOURS), classes: named("c", CLASS_COLOURS),
      rest: colourOf("--rest"), paper: colourOf("--raised"), faint: colourOf("--line"), ink: colourOf("--ink"),
    };
  }

  const rampStep = (level) => Math.min(RAMP_COLOURS - 1, level >> 5);
  const classStep = (number) => Math.round((number * (RAMP_COLOURS - 1)) / Math.max(1, colouring.labels.length - 1));

  // The legend's entry of a point: ramp steps, classes, or "others" for the rarest classes.
  function entryOf(row) {
    const value = colouring.values[row];
    if (colouring.kind === "ramp") return rampStep(value);
    return colouring.ordered ? value : Math.min(value, CLASS_COLOURS);
  }

  function entryColour(entry) {
    if (colouring.kind === "ramp") return palette.ramp[entry];
    if (colouring.ordered) return palette.ramp[classStep(entry)];
    return entry < CLASS_COLOURS ? palette.classes[entry] : palette.rest;
  }

  function entries() {
    if (colouring.kind === "ramp") {
      const step = (colouring.high - colouring.low) / RAMP_COLOURS;
      return palette.ramp.map((_, i) => `from ${(colouring.low + i * step).toFixed(1)}`);
    }
    if (colouring.ordered || colouring.labels.length <= CLASS_COLOURS) return colouring.labels;
    return [...colouring.labels.slice(0, CLASS_COLOURS), `${colouring.labels.length - CLASS_COLOURS} others`];
  }

  function valueOf(colours, row) {
    const value = colours.values[row];
    if (colours.kind !== "ramp") return colours.labels[value];
    return (colours.low + (value / 255) * (colours.high - colours.low)).toFixed(2);
  }

  // Base scale: the whole plane fits into the frame; `view` is the zoom on top of it.
  function projection() {
    const [left, right] = layer.extent.x, [top, bottom] = layer.extent.y;
    const base = 0.94 * Math.min(width / (right - left), height / (bottom - top));
    const scale = base * view.k;
    return {
      scale,
      x: view.x + view.k * (width / 2 - (base * (left + right)) / 2),
      y: view.y + view.k * (height / 2 - (base * (top + bottom)) / 2),
    };
  }

  function disc(radius) {
    const cells = [];
    for (let dy = -radius; dy <= radius; dy++)
      for (let dx = -radius; dx <= radius; dx++)
        if (dx * dx + dy * dy <= radius * radius + 0.8 * radius) cells.push(dy * canvas.width + dx);
    return cells;
  }

  function paint(rows, radius, place, inkOf) {
    const w = canvas.width, h = canvas.height, { x: xs, y: ys } = layer, shape = disc(radius);
    const scale = place.scale * ratio, left = place.x * ratio, top = place.y * ratio;
    for (const row of rows) {
      const px = (xs[row] * scale + left) | 0, py = (ys[row] * scale + top) | 0;
      if (px < radius || py < radius || px >= w - radius || py >= h - radius) continue;
      const middle = py * w + px, ink = inkOf ? inkOf : inks[row];
      for (let i = 0; i < shape.length; i++) pixels[middle + shape[i]] = ink;
    }
  }

  function draw() {
    asked = false;
    const place = projection(), n = layer.x.length;
    const size = (n > 40000 ? 1 : n > 4000 ? 1.4 : 2.2) * ratio * Math.min(3, Math.sqrt(view.k));
    const radius = Math.max(1, Math.round(size));
    pixels.fill(palette.paper);
    paint(back, radius, place, palette.faint);
    paint(front, radius, place);
    if (hovered >= 0) {
      paint([hovered], radius + 4, place, palette.ink);
      paint([hovered], radius + 1, place);
    }
    context.putImageData(image, 0, 0);
  }

  function redraw() {
    if (!asked) requestAnimationFrame(draw);
    asked = true;
  }

  function resize() {
    const box = canvas.parentElement.getBoundingClientRect();
    ratio = Math.min(2, window.devicePixelRatio || 1);
    width = Math.max(1, box.width - 2);
    height = Math.max(1, box.height - 2);
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    image = context.createImageData(canvas.width, canvas.height);
    pixels = new Uint32Array(image.data.buffer);
    redraw();
  }

  // The nearest dot by looking at all of them: 100,000 take a few milliseconds.
  function nearest(x, y, reach) {
    const place = projection();
    const px = (x - place.x) / place.scale, py = (y - place.y) / place.scale;
    let best = -1, least = (reach / place.scale) ** 2;
    for (const row of front) {
      const far = (layer.x[row] - px) ** 2 + (layer.y[row] - py) ** 2;
      if (far < least) [best, least] = [row, far];
    }
    return best;
  }

  const made = (name, text) => Object.assign(document.createElement(name), { textContent: text });

  function showTip(row, x, y) {
    if (row !== hovered) {
      hovered = row;
      tip.hidden = row < 0;
      if (row >= 0) {
        const list = document.createElement("dl");
        for (const colours of layer.colourings) list.append(made("dt", colours.name), made("dd", valueOf(colours, row)));
        const text = made("p", layer.text[row]);
        text.dir = "auto";
        tip.replaceChildren(text, list);
      }
      redraw();
    }
    if (row < 0) return;
    const left = x + 16 + tip.offsetWidth > width ? x - 16 - tip.offsetWidth : x + 16;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 14, height - tip.offsetHeight - 4))}px`;
  }

  const zoom = d3.zoom().scaleExtent([0.8, 400]).on("zoom", (event) => {
    view = event.transform;
    showTip(-1);
    redraw();
  });
  const surface = d3.select(canvas).call(zoom);
  const pointAt = (event) => {
    const [x, y] = d3.pointer(event, canvas);
    showTip(nearest(x, y, REACH), x, y);
  };
  canvas.addEventListener("pointermove", (event) => event.buttons || pointAt(event));
  canvas.addEventListener("click", (event) => {
    const [x, y] = d3.pointer(event, canvas);
    showTip(nearest(x, y, NEAREST), x, y);
  });
  canvas.addEventListener("pointerleave", () => showTip(-1));
  const showWhole = () => surface.call(zoom.transform, d3.zoomIdentity);
  canvas.addEventListener("keydown", (event) => {
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (moves[event.key]) surface.call(zoom.translateBy, ...moves[event.key].map((d) => d / view.k));
    else if (event.key === "+" || event.key === "=") surface.call(zoom.scaleBy, 1.5);
    else if (event.key === "-") surface.call(zoom.scaleBy, 1 / 1.5);
    else if (event.key === "0") showWhole();
    else return;
    event.preventDefault();
  });

  function goTo(row) {
    const k = Math.max(view.k, 12), before = view;
    view = d3.zoomIdentity;
    const place = projection();
    view = before;
    const x = layer.x[row] * place.scale + place.x, y = layer.y[row] * place.scale + place.y;
    surface.call(zoom.transform, d3.zoomIdentity.translate(width / 2 - k * x, height / 2 - k * y).scale(k));
    showTip(row, width / 2, height / 2);
    canvas.scrollIntoView({ block: "nearest" });
  }

  function search() {
    const words = at("search").value.trim().toLowerCase();
    const rows = [];
    if (words) layer.text.forEach((text, row) => text.toLowerCase().includes(words) && rows.push(row));
    hits = words ? new Set(rows) : null;
    at("count").textContent = words ? `${rows.length.toLocaleString("en")} of ${layer.text.length.toLocaleString("en")} hold “${words}”.` : `${layer.text.length.toLocaleString("en")} dots.`;
    at("found").replaceChildren(...rows.slice(0, FOUND_SHOWN).map((row) => {
      const item = document.createElement("li"), button = made("button", layer.text[row]);
      button.type = "button";
      button.dir = "auto";
      button.addEventListener("click", () => goTo(row));
      item.append(button);
      return item;
    }));
    separate();
  }

  function legend() {
    const counts = new Map();
    for (let row = 0; row < layer.x.length; row++) counts.set(entryOf(row), 1 + (counts.get(entryOf(row)) || 0));
    arrange(counts);
    at("legend").replaceChildren(...entries().map((label, entry) => {
      const button = made("button", `${label} `), swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      const c = entryColour(entry);
      for (const [name, value] of Object.entries({ cx: 5.5, cy: 5.5, r: 5.5, fill: `rgb(${c & 255} ${(c >> 8) & 255} ${(c >> 16) & 255})` })) circle.setAttribute(name, value);
      swatch.append(circle);
      button.prepend(swatch);
      button.append(made("small", (counts.get(entry) || 0).toLocaleString("en")));
      button.type = "button";
      button.setAttribute("aria-pressed", entry === single);
      button.addEventListener("click", () => {
        single = single === entry ? null : entry;
        for (const [i, other] of [...at("legend").children].entries()) other.setAttribute("aria-pressed", i === single);
        separate();
      });
      return button;
    }));
  }

  // What a search or the legend singles out is painted over the rest.
  function separate() {
    const chosen = (row) => (!hits || hits.has(row)) && (single === null || entryOf(row) === single);
    const all = !hits && single === null;
    front = all ? order : order.filter(chosen);
    back = all ? [] : order.filter((row) => !chosen(row));
    redraw();
  }

  // Rare classes are painted over frequent ones, crowded points over sparse ones.
  function arrange(counts) {
    const rank = colouring.kind === "ramp" || colouring.ordered ? (row) => colouring.values[row] : (row) => -counts.get(entryOf(row));
    const ranks = Float64Array.from(layer.x.keys(), rank);
    order = Uint32Array.from(layer.x.keys()).sort((a, b) => ranks[a] - ranks[b] || a - b);
    const colours = entries().map((_, entry) => entryColour(entry));
    inks = Uint32Array.from(layer.x.keys(), (row) => colours[entryOf(row)]);
    separate();
  }

  function choose(chosen) {
    layer = chosen;
    layer.extent ??= { x: span(layer.x), y: span(layer.y) };
    at("colour").replaceChildren(...layer.colourings.map((colours, i) => Object.assign(made("option", colours.name), { value: i })));
    colouring = layer.colourings[0];
    single = null;
    hovered = -1;
    tip.hidden = true;
    hits = null;
    legend();
    search();
  }

  function span(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    return [low, Math.max(high, low + 1)];
  }

  at("layer").addEventListener("change", (event) => choose(layers[event.target.value]));
  at("colour").addEventListener("change", (event) => {
    colouring = layer.colourings[event.target.value];
    single = null;
    legend();
  });
  at("search").addEventListener("input", search);
  at("whole").addEventListener("click", showWhole);
  readPalette();
  resize();
  choose(layers[0]);
  new ResizeObserver(resize).observe(canvas.parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readPalette();
    legend();
  });
})();
