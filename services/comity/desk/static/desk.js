// Blanks what may no longer be shown. Fail closed: silence for ten seconds blanks the whole page.
"use strict";

(() => {
  const main = document.querySelector("[data-live]");
  if (!main) return;

  const PATIENCE_MS = 10_000;
  // Each kind of thing goes by itself: by the right that it was shown under.
  const KINDS = [
    ["photograph", "A photograph is no longer available."],
    ["identity", "This identity is no longer available."],
    ["candidate", "A candidate is no longer available."],
  ];
  const state = document.getElementById("live");
  const said = document.getElementById("live-said");
  const lost = document.getElementById("lost");
  let heard = Date.now();
  let over = false;

  function say(name, text) {
    if (state.dataset.state === name && said.textContent === text) return;
    state.dataset.state = name;
    said.textContent = text;
  }

  // A photograph is taken out of the document and its bytes are let go: nothing of it is left to scroll back to.
  function empty(element) {
    for (const image of element.querySelectorAll("img")) image.removeAttribute("src");
    element.replaceChildren();
  }

  function blank(card, text) {
    if (card.classList.contains("gone")) return;
    const focused = card.contains(document.activeElement);
    empty(card);
    card.classList.add("gone");
    card.append(Object.assign(document.createElement("p"), { textContent: text }));
    if (focused) card.focus();
  }

  function blankAll(why) {
    if (over) return;
    over = true;
    stream.close();
    for (const [kind] of KINDS) for (const thing of document.querySelectorAll(`[data-${kind}]`)) blank(thing, "Blank until opened again");
    for (const image of document.querySelectorAll("img[data-probe]")) image.remove();
    say("lost", "Everything on this page went blank.");
    if (why) document.getElementById("lost-why").textContent = why;
    lost.hidden = false;
  }

  function check() {
    if (!over && Date.now() - heard > PATIENCE_MS) blankAll();
  }

  state.hidden = false;
  say("starting", "Asking whether everything here may still be shown.");
  const stream = new EventSource(main.dataset.live);
  stream.addEventListener("judged", (event) => {
    if (over) return;
    heard = Date.now();
    const gone = new Set(JSON.parse(event.data).gone);
    for (const [kind, sentence] of KINDS) {
      for (const thing of document.querySelectorAll(`[data-${kind}]`)) {
        if (!gone.has(thing.dataset[kind])) continue;
        blank(thing, "No longer available");
        say("moved", sentence);
      }
    }
    if (state.dataset.state === "starting") say("watching", "Watching: what may no longer be shown goes blank by itself.");
  });
  stream.addEventListener("lost", (event) => blankAll(JSON.parse(event.data).why));
  stream.addEventListener("error", () => { if (stream.readyState === EventSource.CLOSED) blankAll(); });

  setInterval(check, 1_000);
  document.addEventListener("visibilitychange", check); // timers sleep in hidden tabs
  window.addEventListener("pagehide", () => blankAll()); // a page that the browser keeps for "back" is kept blank
})();
