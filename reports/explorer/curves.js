// Every run is a line. Hovering names a run; a click or Enter pins it with its row, its images and its command.
"use strict";

const startCurves = async () => {
  const data = explorer.curves;
  const values = await unpackedNumbers(data.values), answers = await readAnswers();
  const width = data.epochs.length;
  const armColour = (arm) => (isDark() ? data.arms[arm].dark : data.arms[arm].light);
  const nameOf = (run) => data.arms[run.arm].name;
  const at = (id) => document.getElementById(id);
  const plotBox = at("curves-plot"), metricBox = at("curves-metric"), partBox = at("curves-part");
  const scaleBox = at("curves-log"), pinBox = at("curves-pin"), live = at("curves-live");
  const from = at("curves-from"), to = at("curves-to");
  const hidden = new Set((state.get("hide") || "").split(".").filter(Boolean).map(Number));
  let plot = null, overlay = null, near = null, lines = [];

  for (const [number, arm] of data.arms.entries()) {
    const box = element("input", { type: "checkbox", value: number, checked: hidden.has(number) ? null : "" });
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(number); else hidden.add(number);
      setState({ hide: [...hidden].join(".") });
    });
    const swatch = element("span", { class: "swatch", style: `background: light-dark(${arm.light}, ${arm.dark})` });
    at("curves-arms").append(element("label", {}, box, swatch, ` ${arm.name}`));
  }
  const hide = (numbers) => {
    hidden.clear();
    for (const number of numbers) hidden.add(number);
    for (const box of at("curves-arms").querySelectorAll("input")) box.checked = !hidden.has(Number(box.value));
    setState({ hide: numbers.join(".") });
  };
  at("curves-all").addEventListener("click", () => hide([]));
  at("curves-none").addEventListener("click", () => hide([...data.arms.keys()]));
  for (const run of data.runs) {
    pinBox.append(element("option", { value: run.id }, `${nameOf(run)}, seed ${run.seed}`));
  }
  const last = data.epochs[width - 1];
  for (const box of [from, to]) Object.assign(box, { min: data.epochs[0], max: last });
  metricBox.value = state.get("metric") || "cross_entropy";
  partBox.value = state.get("part") || "train";
  scaleBox.checked = (state.get("log") ?? (metricBox.value === "accuracy" ? "0" : "1")) === "1";

  const metric = () => data.metrics.indexOf(`${partBox.value}_${metricBox.value}`);
  const valueOf = (run, epoch) => values[(metric() * data.runs.length + run) * width + epoch];
  const shown = () => data.runs.keys().filter((run) => !hidden.has(data.runs[run].arm)).toArray();
  const range = () => [Number(state.get("from") ?? data.epochs[0]), Number(state.get("to") ?? last)];

  const columnOf = (run) => {
    const start = (metric() * data.runs.length + run) * width;
    return Array.from(values.subarray(start, start + width), (value) =>
      Number.isNaN(value) || (scaleBox.checked && value <= 0) ? null : value);
  };

  // A canvas of another size than the plot's would be stretched, and its lines would lie.
  const fitOverlay = () => Object.assign(overlay, { width: plot.bbox.width, height: plot.bbox.height });

  // uPlot writes three decimals at most, so that 0.0001 would read 0; null is a tick without a number.
  const ticks = (u, splits) => splits.map((value) =>
    value === null ? "" : scaleBox.checked ? shortNumber(value).replace(".00e", "e") : String(value));

  const draw = () => {
    plot?.destroy();
    lines = shown();
    if (near && !lines.includes(near.run)) [near, live.textContent] = [null, "Point at a line to see which run it is."];
    const ink = css("--ink"), grid = css("--line");
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } };
    const alpha = Math.max(0.12, Math.min(0.8, 12 / Math.max(1, lines.length)));
    const name = `${partBox.value} ${metricBox.selectedOptions[0].textContent}`;
    plot = new uPlot({
      width: plotBox.clientWidth, height: 360, legend: { show: false },
      cursor: { points: { one: true, show: false }, drag: { x: true, y: false }, focus: { prox: -1 } },
      scales: { x: { time: false, range: () => range() }, y: scaleBox.checked ? { distr: 3 } : {} },
      axes: [{ ...axis, label: "epoch" }, { ...axis, label: name, size: 76, values: ticks }],
      series: [{}, ...lines.map((run) => ({
        stroke: armColour(data.runs[run].arm), dash: data.arms[data.runs[run].arm].dash, alpha, width: 1.2, spanGaps: true, points: { show: false } }))],
      hooks: {
        setSize: [(u) => { if (u === plot) { fitOverlay(); highlight(); } }],
        setCursor: [(u) => { if (u.cursor.idx !== null) find(u, u.cursor.idx, u.cursor.top); }],
        setSelect: [(u) => {
          if (u.select.width < 5) return;
          setState({ from: Math.max(data.epochs[0], Math.floor(u.posToVal(u.select.left, "x"))),
            to: Math.ceil(u.posToVal(u.select.left + u.select.width, "x")) });
        }],
      },
    }, [data.epochs, ...lines.map(columnOf)], plotBox);
    overlay = element("canvas", { class: "overlay" });
    fitOverlay();
    plot.over.append(overlay);
    plot.over.addEventListener("click", () => { if (near) setState({ run: data.runs[near.run].id }); });
    plot.over.addEventListener("dblclick", () => setState({ from: null, to: null }));
    highlight();
  };

  /** Finds the run whose line passes nearest to a height at an epoch. */
  const find = (u, index, top) => {
    let best = Infinity, found = null;
    for (const run of lines) {
      const value = valueOf(run, index);
      if (Number.isNaN(value) || (scaleBox.checked && value <= 0)) continue;
      const distance = Math.abs(u.valToPos(value, "y") - top);
      if (distance < best) [best, found] = [distance, run];
    }
    if (found !== null) { near = { run: found, index }; highlight(); }
  };

  const describe = (run, index) => {
    const entry = data.runs[run];
    return `${nameOf(entry)}, seed ${entry.seed}, run ${entry.id}: `
      + `${shortNumber(valueOf(run, index))} at epoch ${data.epochs[index]}`;
  };

  const trace = (context, run, thick) => {
    const ratio = devicePixelRatio;
    context.strokeStyle = armColour(data.runs[run].arm);
    context.lineWidth = thick * ratio;
    context.beginPath();
    for (const [index, epoch] of data.epochs.entries()) {
      const value = valueOf(run, index);
      if (Number.isNaN(value) || (scaleBox.checked && value <= 0)) continue;
      context.lineTo(plot.valToPos(epoch, "x") * ratio, plot.valToPos(value, "y") * ratio);
    }
    context.stroke();
  };

  // Only the overlay is drawn again while hovering: the lines below stay as they are.
  const highlight = () => {
    const context = overlay.getContext("2d");
    context.clearRect(0, 0, overlay.width, overlay.height);
    const pinned = data.runs.findIndex((run) => run.id === state.get("run"));
    for (const run of lines) {
      if (state.get("seed") === String(data.runs[run].seed)) trace(context, run, 1.8);
    }
    if (pinned >= 0) trace(context, pinned, 3.5);
    if (near) { trace(context, near.run, 2.5); live.textContent = describe(near.run, near.index); }
  };

  const showPinned = () => {
    const run = data.runs.find((each) => each.id === state.get("run"));
    pinBox.value = run ? run.id : "";
    if (!run) {
      at("curves-pinned").replaceChildren(element("p", {}, "No run is pinned. Click a line or choose a run."));
      return;
    }
    const index = data.runs.indexOf(run);
    const facts = [["run", run.id], ["arm", nameOf(run)], ["seed", run.seed],
      ["status", run.status], ["epochs", run.epochs], ["first epoch at fit", run.fit ?? "none"],
      ...data.metrics.map((name, number) => [name,
        shortNumber(values[(number * data.runs.length + index) * width + data.epochs.indexOf(run.epochs)])])];
    at("curves-pinned").replaceChildren(
      element("dl", { class: "facts" }, ...facts.flatMap(([name, value]) =>
        [element("dt", {}, name), element("dd", {}, String(value))])),
      element("p", {}, "Train it again and compare: ", element("code", {}, `${data.commands[data.arms[run.arm].study]} ${run.id}`)),
      ...answers(index));
    const wall = explorer.noise?.levels.findIndex((level) => level.wall?.run === run.id) ?? -1;
    if (wall >= 0) {
      const show = element("button", { type: "button", id: "curves-wall" }, "Show its memorization wall");
      show.addEventListener("click", () => setState({ noise: wall }));
      at("curves-pinned").append(show);
    }
  };

  plotBox.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Enter" && near) setState({ run: data.runs[near.run].id });
    if (!steps || !lines.length) return;
    event.preventDefault();
    near ??= { run: lines[0], index: 0 };
    const order = Math.max(0, lines.indexOf(near.run)) + steps[0];
    near = { run: lines[(order + lines.length) % lines.length],
      index: Math.min(width - 1, Math.max(0, near.index + steps[1])) };
    highlight();
  });
  metricBox.addEventListener("change", () => setState({ metric: metricBox.value }));
  partBox.addEventListener("change", () => setState({ part: partBox.value }));
  scaleBox.addEventListener("change", () => setState({ log: scaleBox.checked ? "1" : "0" }));
  pinBox.addEventListener("change", () => setState({ run: pinBox.value || null }));
  for (const [box, key] of [[from, "from"], [to, "to"]]) {
    box.addEventListener("change", () => { if (range()[0] < range()[1] || box.value) setState({ [key]: box.value }); });
  }
  at("curves-reset").addEventListener("click", () => setState({ from: null, to: null }));
  const fillTable = fillWhenOpened(at("curves-table"), () => tableOf(
    ["run", "arm", "seed", "status", "epochs", `${partBox.value} ${metricBox.value} first`, "last"],
    shown().map((run) => {
      const entry = data.runs[run];
      return [entry.id, nameOf(entry), String(entry.seed), entry.status, String(entry.epochs),
        valueOf(run, 0), valueOf(run, data.epochs.indexOf(entry.epochs))];
    })));

  const sync = () => { [from.value, to.value] = range(); };
  onState((changes) => {
    sync();
    if ("run" in changes) showPinned();
    if (["metric", "part", "log", "hide", "from", "to"].some((key) => key in changes)) { draw(); fillTable(); }
    else highlight();
  });
  new ResizeObserver(() => plot.setSize({ width: plotBox.clientWidth, height: 360 })).observe(plotBox);
  onThemeChange(draw);
  sync();
  draw();
  showPinned();
};
if (explorer.curves) started.push(startCurves());
