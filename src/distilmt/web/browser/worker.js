// Translates, away from the page so that it never waits: the student by ONNX Runtime, greedily, sentence by sentence.
// In: {id, text}. Out: {kind: "ready", facts, bytes, milliseconds}, {kind: "said", id, text, done, milliseconds, tokens},
// {kind: "failed", reason}.
import { greedy, integers, json, loadStudent } from "./offline/student.js";
import { Tokenizer } from "./runtime/tokenizers.mjs";
import { joined, normalised, sentences } from "./text.js";

const REMEMBERED = 1000;
let model; // once it is loaded
let wanted = null; // what is to be translated next: only the last text counts
let busy = false;
const memory = new Map(); // sentence -> translation, so that typing translates only the sentence that changes

addEventListener("message", ({ data }) => {
  wanted = data;
  work();
});
load().then(work, fail);

async function load() {
  const begun = performance.now();
  const { parts, bytes, ...student } = await loadStudent();
  const source = new Tokenizer(json(parts.source), {});
  const target = parts.target ? new Tokenizer(json(parts.target), {}) : source;
  model = { ...student, source, target, abbreviations: new Set(student.facts.abbreviations) };
  postMessage({ kind: "ready", facts: model.facts, bytes, milliseconds: performance.now() - begun });
}

async function work() {
  if (busy || !model) return;
  busy = true;
  try {
    while (wanted) {
      const job = wanted;
      wanted = null;
      await translate(job);
    }
  } catch (error) {
    fail(error);
  }
  busy = false;
}

function fail(error) {
  postMessage({ kind: "failed", reason: String(error.message ?? error) });
}

async function translate({ id, text }) {
  const lines = [];
  const spent = { milliseconds: 0, tokens: 0 };
  const say = (done) => postMessage({ kind: "said", id, text: lines.map(joined).join("\n"), done, ...spent });
  for (const line of text.split("\n")) {
    lines.push([]);
    for (const sentence of sentences(normalised(line), model.abbreviations).flatMap(portions)) {
      const known = memory.has(sentence);
      lines.at(-1).push(known ? memory.get(sentence) : await translated(sentence, spent));
      if (known) continue;
      say(false);
      await new Promise((resolve) => setTimeout(resolve)); // hears of newer text
      if (wanted) return;
    }
  }
  say(true);
}

// A sentence that is longer than the model's positions is cut in halves between words.
function portions(sentence) {
  if (sentence.length < 2 || model.source.encode(sentence).ids.length < model.facts.positions) return [sentence];
  const middle = Math.floor(sentence.length / 2);
  const space = sentence.lastIndexOf(" ", middle);
  const cut = space > 0 ? space : middle;
  return [sentence.slice(0, cut), sentence.slice(cut)].map((half) => half.trim()).filter(Boolean).flatMap(portions);
}

async function translated(sentence, spent) {
  const begun = performance.now();
  const said = await generate(model.source.encode(sentence).ids);
  const translation = said.length ? model.target.decode(said, { skip_special_tokens: true }).trim() : "";
  spent.milliseconds += performance.now() - begun;
  spent.tokens += said.length;
  if (memory.size >= REMEMBERED) memory.delete(memory.keys().next().value);
  memory.set(sentence, translation);
  return translation;
}

async function generate(ids) {
  const { facts, encoder } = model;
  const mask = integers(ids.map(() => 1));
  const { last_hidden_state: states } = await encoder.run({ input_ids: integers(ids), attention_mask: mask });
  const memory = { encoder_attention_mask: mask, encoder_hidden_states: states };
  return greedy(model, memory, [facts.pad], facts.positions - 1);
}
