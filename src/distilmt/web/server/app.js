// The server's page: translates as one types, and shows two models side by side.
import { copy, languageName, number, say, setUp } from "../shared/page.js";
import { isPicture, listenForDrops } from "../shared/picture_input.js";
import { get, linked, post, useKey } from "./api.js";
import * as comparison from "./comparison.js";
import * as files from "./files.js";
import * as languages from "./languages.js";
import * as pictures from "./pictures.js";
import * as recordings from "./recordings.js";
import { WORDS } from "./words.js";

const PAUSE = 250; // milliseconds without a key before a text is sent
const byId = (id) => document.getElementById(id);
const [text, said, status, source, target] = ["text", "said", "status", "source", "target"].map(byId);
let models = [];
let most = -1; // characters of a text
let comparing = false;
let detected = null; // {language, confidence} of the last answer
let answer = null; // the last one, of /translate
let line = ["empty"]; // what the status says
let asking = new AbortController();
let timer;
let modelsTimer;

setUp(WORDS, show);
begin();

async function begin() {
  try {
    const [known, settings] = await Promise.all(["languages", "frontend/settings"].map(get));
    most = settings.charLimit;
    byId("key-row").hidden = !settings.keyRequired;
    if (!settings.keyRequired) models = await get("models");
    languages.know(known, { source: settings.language.source.code, target: settings.language.target.code });
    const zones = [];
    if (settings.picturesTranslation) zones.push(["pictures", pictures, isPicture]);
    if (settings.audioTranslation) zones.push(["recordings", recordings, recordings.isRecording]);
    for (const [, kind] of zones) kind.setUp(pair);
    if (settings.supportedFilesFormat.length) {
      files.setUp(settings.supportedFilesFormat, pair);
      zones.push(["files", files, () => true]);
    }
    if (zones.length) listenForFiles(zones);
    comparison.setUp(() => report(...comparison.show()));
    listen();
    show();
    if (text.value) ask(); // the browser kept it over a reload
  } catch (error) {
    fail(error);
  }
}

// What is dropped anywhere on the page goes to the first of the zones that takes it: [id, module, whether it takes a file].
function listenForFiles(zones) {
  listenForDrops(zones.map(([id]) => byId(id)), (file) => {
    const zone = zones.find(([, , takes]) => takes(file));
    if (zone) zone[1].translate(file, pair());
  });
}

function listen() {
  text.addEventListener("input", () => { showCount(); soon(); });
  source.addEventListener("change", () => { languages.showTargets(); change(); });
  target.addEventListener("change", change);
  byId("key").addEventListener("input", ({ target: { value } }) => { useKey(value); soon(); knowModels(); });
  byId("key-row").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => { text.value = ""; change(); text.focus(); });
  byId("copy").addEventListener("click", () => copy(said.textContent).then(() => report("copied")));
  byId("swap").addEventListener("click", swap);
  byId("compare").addEventListener("click", () => { comparing = !comparing; change(); });
}

function pair() {
  return { source: source.value, target: target.value };
}

// With a key that is being typed: until it is right, the server lists none.
function knowModels() {
  clearTimeout(modelsTimer);
  modelsTimer = setTimeout(() => get("models").then((found) => { models = found; show(); }, () => {}), PAUSE);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
}

function change() {
  detected = null;
  show();
  ask();
}

function swap() {
  const translation = said.textContent;
  languages.swap(detected?.language);
  if (translation) text.value = translation;
  change();
}

async function ask() {
  clearTimeout(timer);
  asking.abort(); // what is no longer wanted
  asking = new AbortController();
  const { signal } = asking;
  if (!text.value.trim()) return nothing();
  said.classList.add("stale");
  comparison.setStale();
  try {
    const found = await (comparing ? compare(signal) : translate(signal));
    if (!signal.aborted) report(...found);
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

async function translate(signal) {
  answer = await post("translate", { q: text.value, ...pair(), details: true }, signal);
  detected = answer.detectedLanguage ?? null;
  said.textContent = answer.translatedText;
  show();
  return detected ? ["detected", detected] : ["empty"];
}

// Models are of a pair of languages: where none is chosen it is detected first.
async function compare(signal) {
  const { target: to } = pair();
  let from = source.value;
  if (from === "auto") {
    [detected] = await post("detect", { q: text.value }, signal);
    from = detected.language;
  }
  const found = await post("compare", { q: text.value, source: from, target: to }, signal);
  comparison.know(models, { source: from, target: to });
  return comparison.show(found);
}

function nothing() {
  answer = detected = null;
  said.textContent = "";
  comparison.show([]);
  report("empty");
  show();
}

function fail(error) {
  report("failed", { reason: error.message || say("unreachable") });
}

function report(key, values = {}) {
  line = [key, values];
  showStatus();
}

// Everything that depends on the language of the page, or on what was chosen.
function show() {
  languages.show();
  byId("swap").disabled = !languages.canSwap(detected?.language);
  byId("compare").setAttribute("aria-pressed", comparing);
  byId("panes").classList.toggle("comparing", comparing);
  byId("output").hidden = comparing;
  comparison.setVisible(comparing);
  if (source.value !== "auto") comparison.know(models, pair()); // else once it is detected
  comparison.show();
  text.lang = source.value === "auto" ? "" : source.value;
  said.lang = target.value;
  said.classList.remove("stale");
  byId("copy").disabled = !said.textContent;
  showCount();
  showFacts();
  showStatus();
  showReports();
  pictures.show();
  recordings.show();
}

function showCount() {
  const count = number(text.value.length);
  byId("count").textContent = most > 0 ? say("count", { count, most: number(most) }) : say("countAlone", { count });
}

// Which models spoke: the student, and where it was not sure, the teacher.
function showFacts() {
  const names = [...new Set(answer?.details?.map(({ model }) => model).filter(Boolean))];
  const bytes = names.reduce((sum, name) => sum + (models.find((model) => model.name === name)?.bytes ?? 0), 0);
  const values = { model: names.join(" + "), size: number(bytes / 1e6, 1), ms: number(answer?.milliseconds ?? 0) };
  byId("facts").textContent = names.length ? say("facts", values) : "";
}

function showStatus() {
  const [key, values] = line;
  const filled = key === "detected"
    ? { language: languageName(values.language), confidence: number(values.confidence) }
    : values;
  status.textContent = say(key, filled);
  status.classList.toggle("bad", key === "failed");
}

// One link a run: the models of a run share its report.
function showReports() {
  const runs = new Map();
  for (const { name, report } of models) if (report) runs.set(name.slice(0, name.lastIndexOf("/")), linked(report));
  const links = [...runs].flatMap(([run, href]) => [" ", Object.assign(document.createElement("a"), { href, textContent: run })]);
  byId("reports").replaceChildren(...(links.length ? [say("reports"), ...links] : []));
}
