// The margin is a slider: moving it judges every seed's dot again, and the claim.
"use strict";

const startMargins = () => {
  const claims = explorer.margins;
  const at = (id) => document.getElementById(id);
  const claimBox = at("margin-claim"), sliders = [at("margin-low"), at("margin-high")];
  for (const claim of claims) claimBox.append(element("option", { value: claim.id }, claim.sentence));
  claimBox.value = claims.some((claim) => claim.id === state.get("claim")) ? state.get("claim") : claims[0].id;
  const claim = () => claims.find((each) => each.id === claimBox.value);
  const written = (value) => shortNumber(claim().ratio ? Math.exp(value) : value);

  /** Tells what a claim's intervals say of some margins: over seeds and, of some claims, images. */
  const judged = (its, margins) => {
    const bySeeds = judgedBy(its.asked, its.interval, margins);
    if (its.images === null) return bySeeds;
    const byImages = its.images.every(Number.isFinite) ? judgedBy(its.asked, its.images, margins) : "inconclusive";
    return bySeeds === byImages ? bySeeds : "inconclusive";
  };
  const judgedBy = (asked, [low, high], [first, second]) => {
    if (asked === "within") {
      if (low > first && high < second) return "supported";
      return high < first || low > second ? "refuted" : "inconclusive";
    }
    const above = low > first, below = high < first;
    if (asked === "other_than") return above || below ? "supported" : "inconclusive";
    if (!above && !below) return "inconclusive";
    return above === (asked === "above") ? "supported" : "refuted";
  };
  const holds = ({ asked }, [first, second], effect) => ({
    above: effect > first, below: effect < first, other_than: effect !== first,
    within: effect > first && effect < second,
  })[asked];

  const extent = () => {
    const { seeds, margins, interval } = claim();
    const all = [...seeds.map((each) => each.effect), ...margins, ...interval].filter(Number.isFinite);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low || Math.abs(low) || 1) * 0.15;
    return [low - room, high + room];
  };
  const chosen = () => claim().margins.map((_, number) => Number(sliders[number].value));

  const choose = () => {
    const [low, high] = extent();
    const moved = (state.get("margin") || "").split("_").map(Number);
    const kept = state.has("margin") && state.get("claim") === claim().id && moved.length === claim().margins.length && moved.every(Number.isFinite);
    for (const [number, slider] of sliders.entries()) {
      slider.parentElement.hidden = number >= claim().margins.length;
      Object.assign(slider, { min: low, max: high, step: "any" });
      slider.value = (kept ? moved : claim().margins)[number] ?? high;
    }
    show();
  };

  const show = () => {
    const margins = chosen(), its = claim();
    const registered = margins.every((margin, number) => Math.abs(margin - its.margins[number]) < 1e-9);
    const verdict = registered ? its.verdict : judged(its, margins);
    const right = its.seeds.filter((each) => holds(its, margins, each.effect)).length;
    at("margin-verdict").replaceChildren(
      element("span", { class: `verdict ${verdict}` }, verdict),
      ` at ${its.asked.replace("_", " ")} ${margins.map(written).join(" to ")} (${its.unit}): `
      + `${right} of ${its.seeds.length} seeds lie there`
      + (registered ? "; this is the margin that was stated." : `; the margin that was stated is ${its.margins.map(written).join(" to ")}.`));
    for (const [number, slider] of sliders.entries()) {
      slider.setAttribute("aria-valuetext", written(margins[number] ?? 0));
    }
    picture(its, margins);
    fillTable();
  };

  const picture = (its, margins) => {
    const wide = Math.max(280, Math.min(640, at("margin-picture").clientWidth)), high = 150, [low, top] = extent();
    const x = (value) => 20 + ((value - low) / (top - low)) * (wide - 40);
    const svg = element("svg", { viewBox: `0 0 ${wide} ${high}`, role: "group",
      "aria-label": `${its.seeds.length} seeds' effects, the interval and the margin` });
    const band = its.asked === "within" ? [margins[0], margins[1]]
      : its.asked === "above" ? [margins[0], top] : its.asked === "below" ? [low, margins[0]] : null;
    if (band) svg.append(element("rect", { class: "claimed", x: x(band[0]), y: 10,
      width: Math.max(0, x(band[1]) - x(band[0])), height: 100 }));
    for (const margin of its.margins) svg.append(element("line", { class: "stated", x1: x(margin), x2: x(margin), y1: 10, y2: 110 }));
    for (const margin of margins) svg.append(element("line", { class: "margin", x1: x(margin), x2: x(margin), y1: 4, y2: 116 }));
    svg.append(element("line", { class: "interval", x1: x(its.interval[0]), x2: x(its.interval[1]), y1: 95, y2: 95 }));
    svg.append(element("circle", { class: "mean", cx: x(its.mean), cy: 95, r: 5 }));
    for (const [number, each] of its.seeds.entries()) {
      const dot = element("circle", { cx: x(each.effect), cy: 25 + (number % 6) * 10, r: 5,
        role: "button", tabindex: 0, "data-seed": each.seed, "aria-pressed": String(state.get("seed") === String(each.seed)),
        "aria-label": `seed ${each.seed}: ${written(each.effect)}`,
        class: `dot ${holds(its, margins, each.effect) ? "holds" : "fails"}${state.get("seed") === String(each.seed) ? " pinned" : ""}` },
        element("title", {}, `seed ${each.seed}: ${written(each.effect)}`));
      const pin = () => setState({ seed: state.get("seed") === String(each.seed) ? null : each.seed });
      dot.addEventListener("click", pin);
      dot.addEventListener("keydown", (event) => {
        if (!["Enter", " "].includes(event.key)) return;
        event.preventDefault();
        pin();
      });
      svg.append(dot);
    }
    for (const share of wide < 480 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]) {
      const value = low + share * (top - low), anchor = { 0: "start", 1: "end" }[share] || "middle";
      svg.append(element("text", { x: x(value), y: 140, "text-anchor": anchor }, written(value)));
    }
    const focused = document.activeElement?.closest?.("#margin-picture .dot")?.dataset.seed;
    at("margin-picture").replaceChildren(svg);
    if (focused !== undefined) svg.querySelector(`[data-seed="${focused}"]`)?.focus();  // it was drawn again
  };

  const fillTable = fillWhenOpened(at("margin-table"), () => {
    const its = claim(), margins = chosen();
    return tableOf(["seed", "a", "b", `effect (${its.unit})`, "inside the margin"], its.seeds.map((each) =>
      [String(each.seed), each.a, each.b, written(each.effect), holds(its, margins, each.effect) ? "yes" : "no"]));
  });
  claimBox.addEventListener("change", () => { setState({ claim: claimBox.value, margin: null }); choose(); });
  for (const slider of sliders) {
    slider.addEventListener("input", () => setState({ claim: claimBox.value, margin: chosen().map((each) => Number(each.toPrecision(6))).join("_") }));
  }
  at("margin-reset").addEventListener("click", () => { setState({ margin: null }); choose(); });
  onState((changes) => { if ("margin" in changes || "seed" in changes) show(); });
  choose();
};
if (explorer.margins.length) startMargins();
