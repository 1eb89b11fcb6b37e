// What the server cannot do: the viewer's time zone, and keeping what is unfolded across a refresh.
"use strict";
(() => {
  const day = { year: "numeric", month: "short", day: "numeric" };
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

  function localise(root) {
    const today = new Date().toDateString();
    for (const element of root.querySelectorAll("time[datetime]")) {
      const instant = new Date(element.dateTime);
      if (Number.isNaN(instant.getTime())) continue;
      const format = instant.toDateString() === today ? clock : { ...day, ...clock };
      element.textContent = instant.toLocaleString(undefined, format);
      element.title = instant.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
    }
  }

  function followTrouble() {
    const state = document.getElementById("state");
    if (!state) return;
    const errors = Number(state.dataset.errors);
    document.title = errors ? `(${errors} in error) Rota` : "Rota";
    document.querySelector("link[rel=icon]").href = state.dataset.icon;
  }

  function say(text) {
    document.getElementById("connection").textContent = text;
  }

  let unfolded = [];
  let wasLost = false;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "overview") return;
    unfolded = [...document.querySelectorAll("#overview details[open]")].map((details) => details.id);
    // What was said about the last click stays until the next one, however often the page renews itself.
    if (event.detail.requestConfig.verb !== "get") document.getElementById("notice").replaceChildren();
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "overview") return;
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    localise(event.detail.target);
    followTrouble();
  });
  document.body.addEventListener("htmx:sseOpen", () => {
    say("live");
    // Hints that came while the line was down are lost; look once.
    if (wasLost) htmx.trigger("#overview", "refresh");
    wasLost = false;
  });
  for (const name of ["htmx:sseError", "htmx:sendError"]) {
    document.body.addEventListener(name, () => {
      wasLost = true;
      say("connection lost, trying again …");
    });
  }
  localise(document);
})();
