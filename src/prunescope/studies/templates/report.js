// Figures that answer: hover shows numbers and runs, a click opens the recipe, series can be switched off.
// Without this file the page loses nothing: data and runs stand below each figure.
"use strict";
for (const figure of document.querySelectorAll("figure")) {
  const source = figure.querySelector("script.points");
  if (source) explore(figure, JSON.parse(source.textContent));
}

function explore(figure, data) {
  const tip = make("div", { className: "tip", role: "status", hidden: true });
  figure.append(tip);
  let all = [], nearest = null;
  figure.querySelectorAll(".panels > div").forEach((panel, place) => {
    const svg = panel.querySelector("svg"), seriesOf = data.panels[place] || [];
    const spots = seriesOf.flatMap((series) => spotsOf(svg, series));
    all = all.concat(spots);
    svg.addEventListener("pointermove", (event) => show(event, closest(svg, spots, event)));
    svg.addEventListener("pointerdown", (event) => show(event, closest(svg, spots, event)));
    svg.addEventListener("pointerleave", () => show(null, null));
    svg.addEventListener("click", () => nearest && openRun(nearest.runs[0]));
  });

  // Where the points of a series lie: its markers, or the corners of its line.
  function spotsOf(svg, series) {
    const spots = [], groups = svg.querySelectorAll(`g[data-s="${series.s}"][data-k="points"]`);
    let places = [];
    for (const group of groups) {
      const marks = [...group.querySelectorAll("use")].map((use) => [+use.getAttribute("x"), +use.getAttribute("y")]);
      const line = group.querySelector(":scope > path");
      const corners = line ? [...line.getAttribute("d").matchAll(/[ML]\s*(\S+)\s+(\S+)/g)].map((m) => [+m[1], +m[2]]) : [];
      places = places.concat(corners.length ? corners : marks);
    }
    const points = places.length === series.points.filter(drawn).length ? series.points.filter(drawn) : [];
    points.forEach((point, k) => spots.push({
      at: places[k], point, series, runs: point[5] === null ? [] : data.runs[point[5]],
    }));
    return spots;
  }
  function drawn(point) { return point[1] !== null; }

  function closest(svg, spots, event) {
    const here = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    let best = null, least = 18 ** 2;
    for (const spot of spots) {
      const far = (spot.at[0] - here.x) ** 2 + (spot.at[1] - here.y) ** 2;
      if (far < least && !off.has(spot.series.s)) [best, least] = [spot, far];
    }
    return best;
  }

  function show(event, spot) {
    nearest = spot;
    tip.hidden = !spot;
    if (!spot) return;
    const [x, y, low, high, replicates] = spot.point;
    const ends = low === null || high === null ? "" : ` [${text(low)}, ${text(high)}]`;
    const rows = [`${data.axes[0]}: ${text(x)}`, `${data.axes[1]}: ${text(y)}${ends}`];
    if (replicates.length > 1) rows.push(`replicates: ${replicates.map(text).join(", ")}`);
    const runs = spot.runs, more = runs.length > 3 ? ` and ${runs.length - 3} more` : "";
    if (runs.length) rows.push(`run${runs.length > 1 ? "s" : ""} ${runs.slice(0, 3).join(", ")}${more}`);
    if (runs.length && recipe(runs[0])) rows.push("click for the recipe");
    tip.replaceChildren(make("b", { textContent: spot.series.name }), ...rows.map((row) => make("div", { textContent: row })));
    const box = figure.getBoundingClientRect(), left = event.clientX - box.left, room = box.width - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(left + 14, room))}px`;
    tip.style.top = `${event.clientY - box.top + 16}px`;
  }

  const off = new Set(), names = new Map();
  data.panels.flat().forEach((series) => names.set(series.s, series.name));
  if (names.size > 1) figure.querySelector(".panels").before(switches());
  function switches() {
    const bar = make("div", { className: "switches" });
    for (const [s, name] of [...names].sort((a, b) => a[0] - b[0])) {
      const button = make("button", { type: "button", textContent: name, title: "show or hide" });
      const painted = figure.querySelector(`g[data-s="${s}"] [style*="#"]`);
      button.style.setProperty("--series", (painted?.getAttribute("style").match(/#[0-9a-f]{6}/i) || ["currentColor"])[0]);
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        const hide = !off.delete(s);
        if (hide) off.add(s);
        button.setAttribute("aria-pressed", String(!hide));
        figure.querySelectorAll(`g[data-s="${s}"]`).forEach((group) => { group.style.display = hide ? "none" : ""; });
      });
      bar.append(button);
    }
    return bar;
  }
}

function recipe(run) { return document.querySelector(`details[id^="run-${run}"]`); }
function openRun(run) {
  const details = run && recipe(run);
  for (let node = details; node; node = node.parentElement?.closest("details")) node.open = true;
  details?.scrollIntoView({ block: "start" });
}
function text(value) {
  if (typeof value !== "number") return value ?? "none";
  return String(Number(value.toPrecision(4))).replace("-", "\u2212");
}
function make(tag, properties) { return Object.assign(document.createElement(tag), properties); }
