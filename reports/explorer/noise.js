// One slider over label noise moves the curves, the epoch of fit, and the memorization wall.
"use strict";

const startNoise = async () => {
  const { levels } = explorer.noise;
  const at = (id) => document.getElementById(id);
  const slider = at("noise-level"), wallBox = at("noise-wall"), detail = at("noise-detail");
  const SHADES = 15;
  slider.max = levels.length - 1;
  const histories = await Promise.all(levels.map((level) => level.wall && unpackedBytes(level.wall.history)));
  const last = Math.max(...levels.flatMap((level) => level.epochs));
  const level = () => levels[Number(slider.value)];

  const picture = () => {
    const its = level(), wide = Math.max(280, Math.min(640, at("noise-picture").clientWidth)), high = 260;
    const x = (epoch) => 45 + (epoch / last) * (wide - 60), y = (value) => 225 - value * 205;
    const svg = element("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": words(its) });
    for (const value of [0, 0.5, 1]) {
      svg.append(element("line", { class: "grid", x1: 45, x2: wide - 15, y1: y(value), y2: y(value) }),
        element("text", { x: 38, y: y(value) + 4, "text-anchor": "end" }, String(value)));
    }
    for (const epoch of [0, Math.round(last / 2), last]) {
      svg.append(element("text", { x: x(epoch), y: 243, "text-anchor": "middle" }, String(epoch)));
    }
    svg.append(element("text", { x: wide / 2, y: 257, "text-anchor": "middle" }, "epoch"));
    for (const [name, means] of Object.entries(its.curves)) {
      const points = means.map((value, index) => value === null ? null : `${x(its.epochs[index])},${y(value)}`).filter(Boolean);
      if (points.length) svg.append(element("path", { class: `curve ${name}`, d: `M${points.join("L")}` }));
    }
    for (const fit of its.fit.filter((epoch) => epoch !== null)) {
      svg.append(element("line", { class: "fit", x1: x(fit), x2: x(fit), y1: 225, y2: 212 }));
    }
    at("noise-picture").replaceChildren(svg);
  };

  const words = (its) => {
    const fits = its.fit.filter((epoch) => epoch !== null).sort((a, b) => a - b);
    const end = (name) => shortNumber(its.curves[name].at(-1));
    const middle = fits.length ? (fits[(fits.length - 1) >> 1] + fits[fits.length >> 1]) / 2 : null;
    const parts = [["untouched", "untouched labels"], ["redrawn", "redrawn labels"], ["test", "the test set"]];
    const ends = parts.filter(([name]) => its.curves[name].at(-1) !== null)
      .map(([name, where]) => `${end(name)} on ${where}`);
    return `Label noise ${its.noise}, ${its.seeds} seeds. Accuracy at the end: ${ends.join(", ")}. `
      + (fits.length ? `${fits.length} of ${its.seeds} networks fitted all labels, at epoch ${middle} in the median.`
        : "No network fitted all labels.");
  };

  const wall = () => {
    const its = level().wall;
    wallBox.replaceChildren();
    detail.replaceChildren();
    at("noise-wall-words").textContent = its
      ? `${its.learned.filter((epoch) => epoch !== null).length} of ${its.given.length} redrawn labels were learned by the network of seed ${its.seed}; the earliest learned come first, those never learned last.${lost(its)}`
      : its === null && level().noise ? "No answers with images are kept at this level." : "No label was redrawn at this level.";
    if (!its) return;
    const order = [...its.learned.keys()].sort((a, b) => (its.learned[a] ?? Infinity) - (its.learned[b] ?? Infinity) || a - b);
    for (const [position, number] of order.entries()) {
      const tile = element("button", { type: "button", tabindex: position ? -1 : 0,
        class: its.learned[number] === null ? "tile never" : "tile",
        "aria-label": `given ${its.given[number]}, true ${trueOf(its, number)}, ${when(its, number)}` },
        imageOf(its.sheet, its.place[number], 28));
      tile.addEventListener("mouseenter", () => showExample(number));
      tile.addEventListener("focus", () => showExample(number));
      wallBox.append(tile);
    }
    showExample(order[0]);
  };

  const lost = (its) => its.diverged === null ? ""
    : ` This network's numbers were no longer finite at the end: it diverged at epoch ${its.diverged}.`;
  const when = (its, number) => its.learned[number] === null ? "never learned" : `learned at epoch ${its.learned[number]}`;
  const trueOf = (its, number) => explorer.images[its.sheet].true[its.place[number]];

  const showExample = (number) => {
    const its = level().wall, moments = its.epochs.length, wide = 220, high = 70;
    const history = histories[Number(slider.value)].subarray(number * moments, (number + 1) * moments);
    const x = (epoch) => (epoch / last) * (wide - 4) + 2, y = (shade) => high - 4 - (shade / SHADES) * (high - 8);
    const points = Array.from(history, (shade, index) => shade > SHADES ? null : `${x(its.epochs[index])},${y(shade)}`).filter(Boolean);
    detail.replaceChildren(imageOf(its.sheet, its.place[number], 84), element("div", {},
      element("p", {}, `Given label ${its.given[number]}, true label ${trueOf(its, number)}; ${when(its, number)}. `
        + "Below: the probability of the given label, from 0 to 1, by epoch."),
      element("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img",
        "aria-label": "probability of the given label by epoch" },
        element("path", { class: "curve redrawn", d: `M${points.join("L")}` }))));
  };

  moveByArrows(wallBox);
  const show = () => {
    slider.setAttribute("aria-valuetext", `label noise ${level().noise}`);
    at("noise-words").textContent = words(level());
    picture();
    wall();
    fillTable();
  };
  const fillTable = fillWhenOpened(at("noise-table"), () => tableOf(
    ["label noise", "seeds", "fitted", "untouched at the end", "redrawn at the end", "test at the end"],
    levels.map((its) => [String(its.noise), String(its.seeds), String(its.fit.filter((epoch) => epoch !== null).length),
      ...["untouched", "redrawn", "test"].map((name) => its.curves[name].at(-1))])));
  slider.addEventListener("input", () => setState({ noise: slider.value }));
  onState((changes) => {
    if (!("noise" in changes)) return;
    slider.value = changes.noise;
    show();
  });
  slider.value = Math.min(levels.length - 1, Number(state.get("noise") ?? levels.length - 1));
  show();
};
if (explorer.noise) started.push(startNoise());
