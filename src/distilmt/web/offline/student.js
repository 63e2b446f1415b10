// The student of a page without a server: its packed file, its graphs in ONNX Runtime, greedy decoding with a cache.
import { env, InferenceSession, Tensor } from "../runtime/ort.mjs";

// Everything in `student.gz`: {facts, parts, bytes, encoder, decoder}.
export async function loadStudent() {
  const [[runtime], [packed, bytes]] = await Promise.all([file("runtime/ort.wasm.gz"), file("student.gz")]);
  // More threads need headers that few servers send, and wait for each other: the matrices are small.
  Object.assign(env.wasm, { numThreads: 1, wasmBinary: runtime });
  const { facts, parts } = opened(packed);
  const encoder = await InferenceSession.create(parts.encoder);
  const decoder = await InferenceSession.create(parts.decoder);
  return { facts, parts, bytes, encoder, decoder };
}

export function json(part) {
  return JSON.parse(new TextDecoder().decode(part));
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

// The likeliest token at every step, until the translation ends or has `most` tokens.
// `memory`: the decoder's inputs that come from the encoder. `prompt`: the first tokens. `phrase`: no phrase of so many
// tokens occurs twice; 0 allows all.
export async function greedy({ facts, decoder }, memory, prompt, most, phrase = 0) {
  const tokens = [];
  let cache = emptyCache(facts);
  let input = prompt;
  while (tokens.length < most) {
    const { logits, ...present } = await decoder.run({ input_ids: integers(input), ...memory, ...cache });
    const last = logits.data.subarray(logits.data.length - logits.dims[2]);
    const token = likeliest(last, phrase ? repeating(tokens, phrase) : []);
    if (token === facts.end) break;
    tokens.push(token);
    input = [token];
    cache = {};
    for (const [name, tensor] of Object.entries(present)) cache[name.replace("present", "past_key_values")] = tensor;
  }
  return tokens;
}

export function integers(values) {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
}

export function floats(data, dimensions) {
  return new Tensor("float32", data, dimensions);
}

function emptyCache({ layers, heads, width }) {
  const cache = {};
  for (let layer = 0; layer < layers; layer++) {
    for (const part of ["decoder.key", "decoder.value", "encoder.key", "encoder.value"]) {
      cache[`past_key_values.${layer}.${part}`] = new Tensor("float32", [], [1, heads, 0, width]);
    }
  }
  return cache;
}

function likeliest(logits, forbidden) {
  for (const token of forbidden) logits[token] = -Infinity;
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

// Tokens after which a phrase of `length` tokens would occur again.
function repeating(tokens, length) {
  const begun = tokens.slice(tokens.length - length + 1);
  const forbidden = [];
  for (let i = 0; i + length <= tokens.length; i++) {
    if (begun.every((token, k) => tokens[i + k] === token)) forbidden.push(tokens[i + length - 1]);
  }
  return forbidden;
}

// How many times in a row a phrase of 1 to `longest` tokens occurs at most.
export function longestRepetition(tokens, longest) {
  let most = tokens.length ? 1 : 0;
  for (let length = 1; length <= longest; length++) {
    let run = 0;
    for (let i = length; i < tokens.length; i++) {
      run = tokens[i] === tokens[i - length] ? run + 1 : 0;
      most = Math.max(most, Math.floor(run / length) + 1);
    }
  }
  return most;
}
