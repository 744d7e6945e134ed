// The images that the views share, and what a pinned run's network says of some of them.
"use strict";

for (const [sheet, its] of explorer.images.entries()) {
  document.documentElement.style.setProperty(`--sprite-${sheet}`, `url("${its.address}")`);
}

/** Returns an image, of a height in pixels. */
const imageOf = (sheet, place, size) => {
  const its = explorer.images[sheet], wide = its.width * size / its.height;
  return element("span", { class: "image", style: `width: ${wide}px; height: ${size}px; `
    + `background-image: var(--sprite-${sheet}); background-size: ${wide * its.columns}px ${size * its.rows}px; `
    + `background-position: ${-(place % its.columns) * wide}px ${-Math.floor(place / its.columns) * size}px` });
};

/** Lets arrow keys move between a box's children, of which one can be reached by Tab. */
const moveByArrows = (box) => box.addEventListener("keydown", (event) => {
  const columns = Math.max(1, getComputedStyle(box).gridTemplateColumns.split(" ").length);
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
  const all = [...box.children], next = all[all.indexOf(document.activeElement) + step];
  if (!step || !next) return;
  event.preventDefault();
  document.activeElement.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

/** Returns a function from a run's number to what is shown of its answers, as elements. */
const readAnswers = async () => {
  const { shown, steps, empty, off, lost, values } = explorer.answers;
  const bytes = await unpackedBytes(values), { runs, arms } = explorer.curves;
  const half = bytes.length / 2;
  const field = (run, number) => bytes[number * runs.length + run] | (bytes[half + number * runs.length + run] << 8);
  const answer = (run, number) => {
    const [place, given, said, share] = [0, 1, 2, 3].map((kind) => field(run, 4 + kind * shown + number));
    if (place === empty) return null;
    const sheet = field(run, 2), its = { sheet, place, true: explorer.images[sheet].true[place] };
    its.given = given ? given - 1 : its.true;
    its.said = said ? said - 1 : its.given;
    its.percent = Math.round(100 * share / steps);
    return its;
  };
  const why = (run) => {
    const study = arms[runs[run].arm].study;
    const kept = runs.filter((each, number) => arms[each.arm].study === study && field(number, 0)).length;
    const all = runs.filter((each) => arms[each.arm].study === study).length;
    if (lost.includes(run)) return `No answers: this network's numbers were no longer finite at the end: it diverged at epoch ${runs[run].epochs}.`;
    if (off.includes(study)) return `No images: study ${study} was trained with keep_predictions: false; keep_predictions: true keeps answers and images.`;
    if (!field(run, 0)) return `No images: no answers on training examples are recorded of this run (of ${kept} of the ${all} runs of study ${study} they are); keep_predictions: true keeps them.`;
    if (!field(run, 1)) return "No images: where seeds see different images, keep_predictions: true keeps those of a study's first seed alone, and this run saw none of them.";
    return "No images: the page has no room for the images of this run, which its records hold (keep_predictions: true).";
  };
  return (run) => {
    const found = Array.from({ length: shown }, (_, number) => answer(run, number)).filter(Boolean);
    if (!found.length) return [element("p", { id: "curves-no-images" }, why(run))];
    const [kept, pictured] = [field(run, 0), field(run, 1)];
    const of = pictured === kept ? `${kept} training images whose answers are kept`
      : `${pictured} training images that are kept, of ${kept} whose answers are`;
    const box = element("div", { id: "curves-images", role: "group",
      "aria-label": "Training images of the pinned run; arrow keys move between them" },
    ...found.map((its, number) => {
      const given = its.given === its.true ? `given ${its.given}` : `given ${its.given}, true ${its.true}`;
      const says = its.said === its.given ? `says ${its.said}, ${its.percent} %` : `says ${its.said}; given: ${its.percent} %`;
      const words = `Image ${its.given === its.true ? `with the given label ${its.given}, its true one`
        : `with the given label ${its.given}, its true one is ${its.true}`}; at the end the network says ${its.said} `
        + `and gives the given label ${its.percent} %`;
      return element("div", { class: its.said === its.given ? "answer" : "answer wrong", role: "img",
        tabindex: number ? -1 : 0, "aria-label": words },
      imageOf(its.sheet, its.place, 42), element("small", {}, given), element("small", {}, says));
    }));
    moveByArrows(box);
    return [element("p", {}, `${found.length} of the ${of}: those answered wrongly at the end first (dashed), then those learned last${field(run, 3) ? ", as far as the page has room" : ""}; `
      + "with the label it was given, the true one if that is another, and what the network says at the end with the probability of the given label."), box];
  };
};
