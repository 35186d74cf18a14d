"use strict";
// Draws the plots in the page's data, each into the element with its name as id.
(function () {
  const plots = JSON.parse(document.getElementById("plots").textContent);
  const HEIGHT = 270;
  const PRINT_WIDTH = 680; // CSS pixels of A4 between its margins
  const INTEGER_STEPS = [...Array(9).keys()].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power));
  let charts = [];

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  }

  function digits(value) {
    const size = Math.abs(value);
    return size >= 100 || size === 0 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  }

  function seconds(value) {
    if (value >= 0.9995) return digits(value) + " s";
    return value >= 0.9995e-3 ? digits(value * 1e3) + " ms" : digits(value * 1e6) + " us";
  }

  function share(value) {
    return Number((value * 100).toPrecision(value > 0.99 && value < 1 ? 5 : 3)) + " %";
  }

  function figure(value) {
    const [scale, unit] = [[1e12, " T"], [1e9, " G"], [1e6, " M"], [0, ""]].find((each) => Math.abs(value) >= each[0]);
    return digits(value / (scale || 1)) + unit;
  }

  const UNITS = {
    s: seconds, "1/s": (value) => digits(value) + "/s", requests: digits, share: share, figure: figure,
  };

  // Each line is one series of uPlot, and two more without a stroke for its interval band.
  function series(plot, line) {
    const stroke = color(line.color);
    const unit = UNITS[plot.unit];
    const count = line.values.filter((value) => value != null).length;
    const dots = { dots: count > 60 ? 3 : 5, marks: count > 600 ? 4 : 6, rings: count > 600 ? 5 : 7 }[line.style];
    const options = {
      label: line.label,
      stroke: stroke,
      width: dots ? 0 : line.style === "area" ? 1 : 2, // uPlot shifts a stroke of an odd width against its band
      value: (u, value, at, index) => (value == null ? "-" : unit(value) + interval(plot, line, index)),
      points: { show: false },
    };
    if (plot.kind === "rate") options.points = { show: true, size: 7, stroke: stroke, fill: stroke };
    if (line.style === "area" || line.style === "steps") options.paths = uPlot.paths.stepped({ align: 1 });
    if (line.style === "area") options.fill = stroke + "33";
    if (line.style === "dashed") options.dash = [6, 5];
    if (dots) {
      options.paths = () => null;
      const inner = line.style === "rings" ? "transparent" : stroke;
      options.points = { show: true, size: dots, stroke: stroke, fill: inner, width: line.style === "rings" ? 1.5 : 0 };
    }
    return options;
  }

  function interval(plot, line, index) {
    const unit = UNITS[plot.unit];
    const place = index - (plot.kind === "time" ? 1 : 0); // skips the empty point before the first
    if (index == null || !line.low.length || line.low[place] == null) return "";
    const high = line.high[place];
    return " (" + unit(line.low[place]) + " to " + (high == null ? "infinity" : unit(high)) + ")";
  }

  function ends(line) {
    const made = { class: "ends", width: 0, stroke: "transparent", points: { show: false } };
    if (line.style === "steps") made.paths = uPlot.paths.stepped({ align: 1 });
    return made;
  }

  // Time plots of a run share one axis: an empty point at either end holds it open.
  function columns(plot) {
    const open = (values, first, last) => (plot.kind === "time" ? [first, ...values, last] : values);
    const last = Math.max(plot.end_s, plot.x[plot.x.length - 1]);
    const data = [open(plot.x, Math.min(0, plot.x[0]), last)];
    for (const line of plot.lines) {
      data.push(open(line.values, null, null));
      if (line.low.length) data.push(open(line.high, null, null), open(line.low, null, null));
    }
    return data;
  }

  // One digit, rounded away from the data: where uPlot can begin to count the lines of a logarithmic axis.
  function cut(value, round) {
    const size = Math.pow(10, Math.floor(Math.log10(value)));
    return Number((round(value / size) * size).toPrecision(1));
  }

  function scales(plot) {
    const shares = plot.kind === "share";
    const around = (low, high) => [cut(low / 1.2, Math.floor), cut(high * 1.2, Math.ceil)];
    const logarithmic = (u, low, high) => (low == null ? [0.001, 1] : around(low, high));
    const linear = (u, low, high) => [Math.min(0, low) * 1.06, plot.unit === "share" ? 1 : (Math.max(0, high) || 1) * 1.06];
    const x = shares ? { time: false, ori: 1, range: [0, 1] } : { time: false };
    return { x: x, y: { ori: shares ? 0 : 1, distr: plot.log ? 3 : 1, range: plot.log ? logarithmic : linear } };
  }

  function axis(scale, side, label, values, log) {
    const decades = (u, splits) => splits.map((at) => (!log || Math.abs(Math.log10(at) % 1) < 1e-6 ? at : null));
    return {
      scale: scale, side: side, label: label, values: values, labelSize: 20, labelGap: 0, size: side === 2 ? 30 : 66,
      space: side === 2 ? 64 : 30,
      stroke: color("ink"), font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif",
      grid: { stroke: color("rule"), width: 1, filter: decades }, ticks: { stroke: color("rule"), width: 1 },
    };
  }

  function axes(plot) {
    const write = (u, splits) => splits.map((value) => (value == null ? "" : UNITS[plot.unit](value)));
    const percent = (u, splits) => splits.map(share);
    if (plot.kind === "share") {
      return [axis("x", 3, plot.label, percent), axis("y", 2, "time, logarithmic", write, true)];
    }
    const upright = axis("y", 3, plot.label, write, plot.log);
    if (plot.unit === "requests") upright.incrs = INTEGER_STEPS;
    return [axis("x", 2, plot.kind === "rate" ? "requested requests per second" : "seconds since time zero"), upright];
  }

  function options(plot, width) {
    const shares = plot.kind === "share";
    const suffix = plot.kind === "rate" ? "/s" : " s";
    const at = (u, value) => (value == null ? "-" : shares ? share(value) : Number(value.toPrecision(5)) + suffix);
    const all = [{ label: shares ? "share" : "at", value: at }];
    const bands = [];
    for (const line of plot.lines) {
      all.push(series(plot, line));
      if (line.low.length) {
        bands.push({ series: [all.length, all.length + 1], fill: color(line.color) + "33" });
        all.push(ends(line), ends(line));
      }
    }
    const legend = { markers: { width: 0, fill: (u, at) => all[at].stroke } }; // dots have no stroke to show
    const cursor = shares ? { drag: { x: false, y: false } } : { sync: { key: plot.kind } };
    return {
      width: width, height: HEIGHT, series: all, bands: bands, scales: scales(plot), axes: axes(plot),
      cursor: cursor, legend: legend,
    };
  }

  function draw(width) {
    for (const old of charts) old.destroy();
    charts = plots.map((plot) => {
      const place = document.getElementById(plot.name);
      place.textContent = "";
      const made = new uPlot(options(plot, width || place.clientWidth), columns(plot), place);
      const canvas = made.root.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", place.dataset.label);
      return made;
    });
  }

  function fit() {
    for (const made of charts) {
      const width = made.root.parentElement.clientWidth;
      if (width && width !== made.width) made.setSize({ width: width, height: HEIGHT });
    }
  }

  draw();
  window.addEventListener("resize", fit);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper"); // the colours of paper, in which the plots are charts anew
    draw(PRINT_WIDTH);
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    draw();
  });
})();
