// Says how fast the page came, and on each press of the button which worker answers now, and in what time.
"use strict";

const probe = document.getElementById("probe");
const answer = document.getElementById("answer");
const ask = document.getElementById("ask");

const inMs = (time) => `${Math.max(1, Math.round(time))} ms`;

async function askHealth() {
  ask.disabled = true;
  const start = performance.now();
  try {
    const response = await fetch(probe.dataset.health, { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const health = await response.json();
    show(health, inMs(performance.now() - start));
  } catch (error) {
    answer.textContent = `No answer: ${error.message}.`;
  }
  ask.disabled = false;
}

function show(health, time) {
  const worker = document.getElementById("worker");
  if (worker) worker.textContent = health.worker;
  const who = health.worker === null ? "The app" : `Worker ${health.worker}`;
  answer.textContent = `${who} answered in ${time}.`;
  // A deploy went by while the page was open: the rest of what it shows is of the old release.
  if (health.release !== document.getElementById("release").textContent) {
    answer.textContent += ` Release ${health.release} is live now: reload the page to see it.`;
  }
}

const [page] = performance.getEntriesByType("navigation");
answer.textContent = `This page answered in ${inMs(page.responseStart - page.requestStart)}.`;
ask.addEventListener("click", askHealth);
probe.hidden = false;
