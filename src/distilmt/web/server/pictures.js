// Pictures: dropped, pasted, chosen or taken, translated by the server, shown with the translations in their place.
import { copy, number, say } from "../shared/page.js";
import { postFile } from "./api.js";

const SMALLEST = 7; // pixels of a letter
const byId = (id) => document.getElementById(id);
const [zone, stage, texts, status] = ["pictures", "stage", "picture-text", "picture-status"].map(byId);
let shown = null; // {result, image} of the last picture
let line = ["empty", {}];
let latest = 0;

// `pair` tells the languages that are chosen.
export function setUp(pair) {
  zone.hidden = false;
  for (const id of ["picture", "camera"]) {
    byId(id).addEventListener("change", ({ target }) => {
      if (target.files.length) translate(target.files[0], pair());
      target.value = ""; // so that the same picture can be chosen again
    });
  }
  document.addEventListener("paste", (event) => {
    const picture = [...event.clipboardData.files].find(isPicture);
    if (!picture || event.clipboardData.types.includes("text/plain")) return; // offices paste text as a picture too
    event.preventDefault();
    translate(picture, pair());
  });
  byId("copy-picture").addEventListener("click", () => copy(shown.result.translatedText).then(() => report("copied")));
  byId("original").addEventListener("click", () => {
    const original = stage.classList.toggle("original");
    byId("original").setAttribute("aria-pressed", original);
  });
  new ResizeObserver(place).observe(stage);
}

export function isPicture(file) {
  return file.type.startsWith("image/");
}

export async function translate(file, { source, target }) {
  const mine = ++latest;
  report("working", { name: file.name });
  stage.classList.add("stale");
  try {
    const result = await postFile("translate_image", file, { source, target });
    const image = await loaded(file);
    if (mine !== latest) return;
    if (shown) URL.revokeObjectURL(shown.image.src);
    shown = { result, image, target };
    draw();
    report(result.translatedText ? "pictureDone" : "noText", { ms: number(result.milliseconds) });
  } catch (error) {
    if (mine === latest) report("failed", { reason: error.message || say("unreachable") }, true);
  } finally {
    if (mine === latest) stage.classList.remove("stale");
  }
}

// Again in the page's language.
export function show() {
  report(...line);
}

async function loaded(file) {
  const image = Object.assign(new Image(), { src: URL.createObjectURL(file), alt: file.name });
  await image.decode().catch(() => { throw new Error(say("undecodable")); });
  return image;
}

// The picture, a box over every line, and the paragraphs as text.
function draw() {
  const { result, image, target } = shown;
  const paragraphs = result.pages[0].paragraphs;
  byId("picture-panes").hidden = false;
  stage.classList.remove("original");
  byId("original").setAttribute("aria-pressed", false);
  const boxes = paragraphs.map(({ translation }) => element("div", translation, "box"));
  stage.replaceChildren(image, ...boxes);
  texts.replaceChildren(...paragraphs.map(({ translation }) => element("p", translation)));
  stage.lang = texts.lang = target;
  byId("copy-picture").disabled = !result.translatedText;
  place();
}

// Boxes lie on the picture as wide as it is shown; letters are as large as they fit.
function place() {
  if (!shown) return;
  const scale = shown.image.clientWidth / shown.result.pages[0].width;
  const boxes = stage.querySelectorAll(".box");
  shown.result.pages[0].paragraphs.forEach(({ box, lines }, i) => {
    const [left, top, right, bottom] = box.map((value) => value * scale);
    const size = { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, minHeight: `${bottom - top}px` };
    Object.assign(boxes[i].style, size);
    fit(boxes[i], (bottom - top) / lines.length, bottom - top);
  });
}

function fit(box, size, height) {
  for (let letters = 0.8 * size; ; letters *= 0.92) {
    box.style.fontSize = `${Math.max(letters, SMALLEST)}px`;
    if (letters <= SMALLEST || box.scrollHeight <= height + 1) return;
  }
}

function element(tag, textContent, className = "") {
  return Object.assign(document.createElement(tag), { textContent, className });
}

function report(key, values = {}, bad = false) {
  line = [key, values, bad];
  status.textContent = say(key, values);
  status.classList.toggle("bad", bad);
}
