// The page of a student that reads pictures: hands pixels to the worker, and shows the translation beside the picture.
import { copy, languageName, number, say, setUp } from "./shared/page.js";
import { imageOf, listenForDrops, listenForPictures } from "./shared/picture_input.js";

const WORDS = {
  en: {
    picture: "Translate a picture", choose: "Choose a picture", camera: "Take a photo", drop: "or drop or paste it here",
    translation: "Translation", copy: "Copy", copied: "Copied", skipToPicture: "Skip to the picture",
    loading: "Loading the model…", ready: "Loaded in {seconds} s. Choose a picture of text.", working: "Reading {name}…",
    done: "{ms} ms · {rate} tokens/s", noText: "There is no text in this picture that can be read.",
    failed: "It cannot translate: {reason}", pair: "{source} → {target}",
    undecodable: "This browser cannot show {name}: save it as PNG or JPEG.",
    tooLarge: "{name} has more than {most} million pixels: scale it down.",
    facts: "Model {model} MB, {parameters} parameters in int8; the whole page {all} MB.",
    noCommerce: "Not for commercial use.",
    lines: "It reads one column of printed lines on a plain background, upright or nearly so.",
    private: "The picture is read and translated in this browser. It does not leave it, and no network is needed.",
  },
  zh: {
    picture: "翻译图片", choose: "选择图片", camera: "拍照", drop: "或将图片拖到或粘贴到这里",
    translation: "译文", copy: "复制", copied: "已复制", skipToPicture: "跳到图片",
    loading: "正在加载模型…", ready: "加载用时 {seconds} 秒。请选择一张文字图片。", working: "正在读取 {name}…",
    done: "{ms} 毫秒 · 每秒 {rate} 个词元", noText: "图片中没有可以读出的文字。",
    failed: "无法翻译：{reason}", pair: "{source} → {target}",
    undecodable: "浏览器无法显示 {name}：请另存为 PNG 或 JPEG。",
    tooLarge: "{name} 超过 {most} 百万像素：请缩小。",
    facts: "模型 {model} MB，{parameters} 个参数，int8；整个页面 {all} MB。",
    noCommerce: "不得用于商业用途。",
    lines: "可以读取纯色背景上单栏的印刷文字，文字行应当水平或接近水平。",
    private: "图片在本浏览器中读取和翻译，不会离开浏览器，断网也能使用。",
  },
};
const MOST_PIXELS = 64e6; // of a picture that is decoded
const READ_PIXELS = 4e6; // of what is read: larger pictures are scaled down
const byId = (id) => document.getElementById(id);
const [stage, text, status] = ["stage", "translation", "status"].map(byId);
const worker = new Worker("worker.js", { type: "module" });
let model = null; // {facts, bytes, milliseconds} once it is loaded
let card = null;
let last = { id: 0, image: null, width: 1, boxes: [], translation: "" };
let line = ["loading", {}]; // what the status says

setUp(WORDS, show);
worker.addEventListener("message", ({ data }) => receive[data.kind](data));
worker.addEventListener("error", (event) => report("failed", { reason: event.message ?? "worker.js" }));
listenForPictures(["picture", "camera"], open);
listenForDrops([byId("pictures")], open);
byId("copy").addEventListener("click", () => copy(last.translation).then(() => report("copied")));
new ResizeObserver(place).observe(stage);
fetch("card.json").then((response) => response.json()).then((content) => { card = content; show(); }, () => {});

const receive = {
  ready(content) {
    model = content;
    if (line[0] === "loading") report("ready", { seconds: number(content.milliseconds / 1000, 1) });
    else show();
  },
  translated({ id, paragraphs, milliseconds, tokens }) {
    if (id !== last.id) return;
    last.boxes = paragraphs.flatMap(({ boxes }) => boxes);
    last.translation = paragraphs.map(({ translation }) => translation).join("\n");
    text.replaceChildren(...paragraphs.map(({ translation }) => element("p", translation)));
    text.classList.remove("stale");
    byId("copy").disabled = !last.translation;
    stage.append(...last.boxes.map(() => element("div", "", "outline")));
    place();
    const speed = { ms: number(milliseconds), rate: number((1000 * tokens) / milliseconds) };
    report(last.translation ? "done" : "noText", speed);
    Object.assign(text.dataset, { id, milliseconds, tokens }); // for programs that measure
  },
  failed({ id, reason }) {
    if (!id || id === last.id) report("failed", { reason });
  },
};

async function open(file) {
  const id = last.id + 1;
  if (last.image) URL.revokeObjectURL(last.image.src);
  last = { id, image: null, width: 1, boxes: [], translation: "" };
  stage.replaceChildren();
  text.replaceChildren();
  byId("copy").disabled = true;
  report("working", { name: file.name });
  const image = await imageOf(file);
  if (id !== last.id) return image && URL.revokeObjectURL(image.src);
  if (!image) return report("undecodable", { name: file.name });
  last.image = image;
  if (image.naturalWidth * image.naturalHeight > MOST_PIXELS) {
    return report("tooLarge", { name: file.name, most: number(MOST_PIXELS / 1e6) });
  }
  stage.replaceChildren(image);
  const page = pixelsOf(image);
  last.width = page.width;
  worker.postMessage({ id, page }, [page.data.buffer]);
}

// {data, width, height}: red, green, blue, alpha.
function pixelsOf(image) {
  const scale = Math.min(1, Math.sqrt(READ_PIXELS / (image.naturalWidth * image.naturalHeight)));
  const [width, height] = [image.naturalWidth, image.naturalHeight].map((length) => Math.max(1, Math.round(length * scale)));
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas.imageSmoothingQuality = "high";
  canvas.drawImage(image, 0, 0, width, height);
  const { data } = canvas.getImageData(0, 0, width, height);
  return { data, width, height };
}

// The lines that were read, as wide as the picture is shown.
function place() {
  if (!last.image) return;
  const scale = last.image.clientWidth / last.width;
  stage.querySelectorAll(".outline").forEach((outline, i) => {
    const { left, top, right, bottom } = last.boxes[i];
    const [x, y, width, height] = [left, top, right - left, bottom - top].map((length) => `${length * scale}px`);
    Object.assign(outline.style, { left: x, top: y, width, height });
  });
}

function element(tag, textContent, className = "") {
  return Object.assign(document.createElement(tag), { textContent, className });
}

function report(key, values = {}) {
  line = [key, values];
  show();
}

// Everything that depends on the language of the page.
function show() {
  status.textContent = say(...line);
  status.classList.toggle("bad", ["failed", "undecodable", "tooLarge"].includes(line[0]));
  if (!model) return;
  const { facts, bytes } = model;
  text.lang = facts.target.replaceAll("_", "-");
  const names = { source: languageName(facts.source), target: languageName(facts.target) };
  byId("source").textContent = names.source;
  byId("target").textContent = names.target;
  byId("title").textContent = document.title = say("pair", names);
  const megabytes = (count) => number(count / 1e6, 1);
  const sizes = { model: megabytes(bytes), parameters: number(facts.parameters ?? 0), all: card ? megabytes(card.bytes) : "?" };
  byId("facts").textContent = say("facts", sizes) + (card?.non_commercial ? ` ${say("noCommerce")}` : "");
}
