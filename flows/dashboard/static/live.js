// Keeps an open page up to date: asks for it again, and puts in what has changed. Nothing that a
// page does for a reader depends on this.
"use strict";

(() => {
  const state = document.getElementById("live-state");
  const period = () => Number(document.body.dataset.refresh) * 1000;
  let timer = 0;

  const inUse = (element) => {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && element.contains(selection.anchorNode);
    return selected || element.contains(document.activeElement);
  };

  const putIn = (found) => {
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = found.getElementById(old.id);
      if (now && !now.isEqualNode(old) && !inUse(old)) {
        old.replaceWith(document.importNode(now, true));
      }
    }
    document.body.dataset.refresh = found.body.dataset.refresh;
  };

  const say = (words, lost) => {
    state.textContent = words;
    state.classList.toggle("lost", lost);
  };

  const ask = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (new URL(answer.url).pathname !== location.pathname) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      putIn(new DOMParser().parseFromString(await answer.text(), "text/html"));
      say(`Updated ${new Date().toLocaleTimeString()}`, false);
    } catch {
      say("No answer from the dashboard; what is shown may be old", true);
    }
  };

  const goOn = () => {
    window.clearTimeout(timer);
    if (period()) timer = window.setTimeout(() => ask().then(goOn), period());
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && period()) ask().then(goOn);
  });

  const chosen = () => document.querySelectorAll("input[data-choice]:checked").length;
  document.addEventListener("change", (event) => {
    if (event.target.matches("input[data-all]")) {
      for (const box of document.querySelectorAll("input[data-choice]")) {
        box.checked = event.target.checked;
      }
    }
    const count = document.getElementById("n-chosen");
    if (count) count.textContent = chosen() ? `${chosen()} chosen` : "";
  });

  goOn();
})();
