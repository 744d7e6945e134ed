// An address that holds the state of a view opens at that view: the one of the last key.
"use strict";

const viewOf = (key) => ({ noise: "noise", claim: "margin", margin: "margin" })[key] || "curves";

Promise.all(started).then(() => {
  if (!state.size || scrollY) return;  // whoever has scrolled already stays there
  document.getElementById(`${viewOf([...state.keys()].at(-1))}-title`)?.scrollIntoView();
});
