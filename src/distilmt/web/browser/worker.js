// Translates, away from the page so that it never waits: the student by ONNX Runtime, greedily, sentence by sentence.
// In: {id, text}. Out: {kind: "ready", facts, bytes, milliseconds}, {kind: "said", id, text, done, milliseconds, tokens},
// {kind: "failed", reason}.
import { env, InferenceSession, Tensor } from "./runtime/ort.mjs";
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
  const [runtime, [student, bytes]] = await Promise.all([file("runtime/ort.wasm.gz"), file("student.gz")]);
  // More threads need headers that few servers send, and wait for each other: the matrices are small.
  Object.assign(env.wasm, { numThreads: 1, wasmBinary: runtime[0] });
  const { facts, parts } = opened(student);
  const json = (part) => JSON.parse(new TextDecoder().decode(part));
  const source = new Tokenizer(json(parts.source), {});
  const target = parts.target ? new Tokenizer(json(parts.target), {}) : source;
  const encoder = await InferenceSession.create(parts.encoder);
  const decoder = await InferenceSession.create(parts.decoder);
  model = { facts, source, target, encoder, decoder, abbreviations: new Set(facts.abbreviations) };
  postMessage({ kind: "ready", facts, bytes, milliseconds: performance.now() - begun });
}

// A packed file's content, and how many bytes came.
async function file(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  const packed = new Uint8Array(await response.arrayBuffer());
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) return [packed, packed.length]; // the server has unpacked it
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return [new Uint8Array(await new Response(stream).arrayBuffer()), packed.length];
}

// A safetensors file: the header's length in 8 bytes, the header, the tensors.
function opened(bytes) {
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__, ...tensors } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const parts = {};
  for (const [name, { data_offsets }] of Object.entries(tensors)) {
    parts[name] = bytes.subarray(start + data_offsets[0], start + data_offsets[1]);
  }
  return { facts: JSON.parse(__metadata__.facts), parts };
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

// The likeliest word at every step, until the sentence ends.
async function generate(ids) {
  const { facts, encoder, decoder } = model;
  const mask = integers(ids.map(() => 1));
  const { last_hidden_state: states } = await encoder.run({ input_ids: integers(ids), attention_mask: mask });
  const said = [];
  let cache = nothingSaid();
  let word = facts.pad;
  while (said.length < facts.positions - 1) {
    const known = { encoder_attention_mask: mask, encoder_hidden_states: states };
    const { logits, ...present } = await decoder.run({ input_ids: integers([word]), ...known, ...cache });
    word = likeliest(logits.data);
    if (word === facts.end) break;
    said.push(word);
    cache = {};
    for (const [name, tensor] of Object.entries(present)) cache[name.replace("present", "past_key_values")] = tensor;
  }
  return said;
}

function nothingSaid() {
  const { layers, heads, width } = model.facts;
  const cache = {};
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ["decoder.key", "decoder.value", "encoder.key", "encoder.value"]) {
      cache[`past_key_values.${layer}.${part}`] = new Tensor("float32", [], [1, heads, 0, width]);
    }
  }
  return cache;
}

function integers(values) {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
}

function likeliest(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}
