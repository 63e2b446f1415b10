// Pictures: dropped, pasted, chosen or taken, translated by the server, shown with the translations in their place.
import { copy, number, say } from "../shared/page.js";
import { imageOf, listenForPictures } from "../shared/picture_input.js";
import { postFile } from "./api.js";

const SMALLEST = 7; // pixels of a letter
const byId = (id) => document.getElementById(id);
const [zone, stage, texts, status] = ["pictures", "stage", "picture-text", "picture-status"].map(byId);
let shown = null; // {result, image, target} of the last picture; the image is null where the browser cannot show it
let line = ["empty", {}];
let latest = 0;

// `pair` tells the languages that are chosen.
export function setUp(pair) {
  zone.hidden = false;
  listenForPictures(["picture", "camera"], (picture) => translate(picture, pair()));
  byId("copy-picture").addEventListener("click", () => copy(shown.result.translatedText).then(() => report("copied")));
  byId("original").addEventListener("click", () => {
    const original = stage.classList.toggle("original");
    byId("original").setAttribute("aria-pressed", original);
  });
  new ResizeObserver(place).observe(stage);
}

export async function translate(file, { source, target }) {
  const mine = ++latest;
  report("working", { name: file.name });
  stage.classList.add("stale");
  try {
    const result = await postFile("translate_image", file, { source, target });
    const image = await imageOf(file);
    if (mine !== latest) return image && URL.revokeObjectURL(image.src);
    if (shown?.image) URL.revokeObjectURL(shown.image.src);
    shown = { result, image, target };
    draw();
    report(outcome(), { ms: number(result.milliseconds) });
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

function outcome() {
  if (!shown.result.translatedText) return "noText";
  return shown.image ? "pictureDone" : "undecodable";
}

// The first page with a box over every line, where the browser can show it, and the paragraphs of all pages as text.
function draw() {
  const { result, image, target } = shown;
  const paragraphs = result.pages.flatMap((page) => page.paragraphs);
  byId("picture-panes").hidden = false;
  byId("in-place").hidden = !image;
  stage.classList.remove("original");
  byId("original").setAttribute("aria-pressed", false);
  const boxes = result.pages[0].paragraphs.map(({ translation }) => element("div", translation, "box"));
  stage.replaceChildren(...(image ? [image, ...boxes] : []));
  texts.replaceChildren(...paragraphs.map(({ translation }) => element("p", translation)));
  stage.lang = texts.lang = target;
  byId("copy-picture").disabled = !result.translatedText;
  place();
}

// Boxes lie on the picture as wide as it is shown; letters are as large as they fit.
function place() {
  if (!shown?.image) return;
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
