// The page: hands the text to the worker as it is typed, and shows what comes back.
import { copy, languageName, number, say, setUp } from "./shared/page.js";

const WORDS = {
  en: {
    text: "Text", translation: "Translation", clear: "Clear", copy: "Copy", copied: "Copied", type: "Type or paste text", loading: "Loading the model…",
    ready: "Loaded in {seconds} s. Translates as you type.", failed: "It cannot translate: {reason}",
    speed: "{ms} ms · {rate} tokens/s", known: "Translated before", pair: "{source} → {target}",
    facts: "Model {model} MB, {parameters} parameters in int8; the whole page {all} MB.",
    noCommerce: "Not for commercial use.",
    private: "The translation is computed in this browser. No text leaves it, and it works without a network.",
  },
  zh: {
    text: "文本", translation: "译文", clear: "清空", copy: "复制", copied: "已复制", type: "输入或粘贴文本", loading: "正在加载模型…",
    ready: "加载用时 {seconds} 秒，输入时即时翻译。", failed: "无法翻译：{reason}",
    speed: "{ms} 毫秒 · 每秒 {rate} 个词元", known: "此前已翻译", pair: "{source} → {target}",
    facts: "模型 {model} MB，{parameters} 个参数，int8；整个页面 {all} MB。",
    noCommerce: "不得用于商业用途。",
    private: "翻译在本浏览器中完成，文本不会离开浏览器，断网也能使用。",
  },
};
const PAUSE = 120; // milliseconds without a key before a text is translated
const byId = (id) => document.getElementById(id);
const [text, said, status] = ["text", "said", "status"].map(byId);
const worker = new Worker("worker.js", { type: "module" });
let model = null; // {facts, bytes, milliseconds} once it is loaded
let card = null;
let last = { id: 0, translation: "" };
let line = ["loading", {}]; // what the status says
let timer;

setUp(WORDS, show);
worker.addEventListener("message", ({ data }) => receive[data.kind](data));
worker.addEventListener("error", (event) => report("failed", { reason: event.message ?? "worker.js" }));
text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(send, PAUSE); });
byId("clear").addEventListener("click", () => { text.value = ""; send(); text.focus(); });
byId("copy").addEventListener("click", () => copy(last.translation).then(() => report("copied")));
fetch("card.json").then((found) => found.json()).then((found) => { card = found; show(); }, () => {});
send();

const receive = {
  ready(found) {
    model = found;
    report("ready", { seconds: number(found.milliseconds / 1000, 1) });
  },
  said({ id, text: translation, done, milliseconds, tokens }) {
    if (id !== last.id) return;
    said.textContent = last.translation = translation;
    said.classList.toggle("stale", !done);
    byId("copy").disabled = !translation;
    const speed = { ms: number(milliseconds), rate: number((1000 * tokens) / milliseconds) };
    if (done && text.value.trim()) report(tokens ? "speed" : "known", speed);
    // Beside what people read, for programs that measure.
    if (done) Object.assign(said.dataset, { id, milliseconds, tokens });
  },
  failed: ({ reason }) => report("failed", { reason }),
};

function send() {
  said.classList.add("stale");
  last.id += 1;
  worker.postMessage({ id: last.id, text: text.value });
}

function report(key, values = {}) {
  line = [key, values];
  show();
}

// Everything that depends on the language of the page.
function show() {
  status.textContent = say(...line);
  status.classList.toggle("bad", line[0] === "failed");
  if (!model) return;
  const { facts, bytes } = model;
  text.lang = facts.source.replaceAll("_", "-");
  said.lang = facts.target.replaceAll("_", "-");
  const names = { source: languageName(facts.source), target: languageName(facts.target) };
  byId("source").textContent = names.source;
  byId("target").textContent = names.target;
  byId("title").textContent = document.title = say("pair", names);
  const megabytes = (count) => number(count / 1e6, 1);
  const sizes = { model: megabytes(bytes), parameters: number(facts.parameters ?? 0), all: card ? megabytes(card.bytes) : "?" };
  byId("facts").textContent = say("facts", sizes) + (card?.non_commercial ? ` ${say("noCommerce")}` : "");
}
