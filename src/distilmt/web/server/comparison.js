// Two models side by side: their words, those that differ marked; time and size.
import { language, number, say } from "../shared/page.js";
import { linked } from "./api.js";
import { compared } from "./diff.js";

const panes = [...document.querySelectorAll(".compared")].map((pane) => ({
  pane,
  select: pane.querySelector("select"),
  said: pane.querySelector(".said"),
  facts: pane.querySelector(".foot span"),
  report: pane.querySelector(".foot a"),
}));
let answers = [];
let models = [];
let showing = "";

// `whenChosen` is called after another model was chosen.
export function setUp(whenChosen) {
  for (const { select } of panes) select.addEventListener("change", whenChosen);
}

export function setVisible(visible) {
  for (const { pane } of panes) pane.hidden = !visible;
}

// The models of a pair of languages: its teacher stands left, what translates stands right.
export function know(found, pair) {
  models = found.filter(({ source, target }) => source === pair.source && target === pair.target);
  const names = models.map(({ name }) => name);
  if (showing === names.join("\n")) return;
  showing = names.join("\n");
  answers = [];
  const main = (models.find(({ translates }) => translates) ?? models[0])?.name;
  const teacher = (models.find(({ kind }) => kind === "teacher") ?? models.find(({ name }) => name !== main))?.name;
  panes.forEach(({ select }, i) => {
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    select.value = [teacher ?? main, main][i] ?? "";
  });
}

// Show what /compare answered, or the last answer again; returns what is to be said of it.
export function show(found = answers) {
  answers = found;
  const chosen = panes.map(({ select }) => answers.find(({ name }) => name === select.value));
  const target = models[0]?.target ?? "en";
  const marks = chosen.every(Boolean) ? compared(...chosen.map((answer) => answer.translatedText), target) : null;
  panes.forEach((pane, i) => showOne(pane, chosen[i], marks?.[i], target));
  if (!marks) return ["empty"];
  const count = Math.max(...marks.map((side) => side.filter(([, differs]) => differs).length));
  return count ? ["differ", { count: number(count) }] : ["same"];
}

export function setStale() {
  for (const { said } of panes) said.classList.add("stale");
}

function showOne({ select, said, facts, report }, answer, marks, target) {
  const model = models.find(({ name }) => name === select.value);
  report.hidden = !model?.report;
  if (model?.report) report.href = linked(model.report);
  said.classList.remove("stale");
  said.lang = target;
  said.ariaLabel = select.value;
  said.replaceChildren(...(marks ? marks.map(marked) : [answer?.translatedText ?? ""]));
  const size = model ? number(model.bytes / 1e6, 1) : "";
  const kind = model?.kind ?? "";
  facts.textContent = answer ? say("facts", { model: kind, size, ms: number(answer.milliseconds) }) : "";
}

function marked([part, differs]) {
  return differs ? Object.assign(document.createElement("mark"), { textContent: part }) : part;
}
