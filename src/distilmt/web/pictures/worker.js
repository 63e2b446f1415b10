// Reads and translates pictures, away from the page so that it never waits.
// In: {id, page: {data, width, height}}, its pixels in red, green, blue and alpha.
// Out: {kind: "ready", facts, bytes, milliseconds}, {kind: "translated", id, paragraphs, milliseconds, tokens} with
// {boxes, translation} for every paragraph, {kind: "failed", id, reason}.
import { floats, greedy, json, loadStudent, longestRepetition } from "./offline/student.js";
import { features, framesOf, mostTokens } from "./frames.js";
import { paragraphsIn } from "./reading.js";
import { Tokenizer } from "./runtime/tokenizers.mjs";

const [LONGEST_PHRASE, MOST_REPETITIONS, NO_REPEAT] = [12, 4, 3]; // as distilmt.inference.image_translator
let model; // once it is loaded
let next = null; // only the last picture counts
let busy = false;

addEventListener("message", ({ data }) => {
  next = data;
  work();
});
load().then(work, (error) => fail(error));

async function load() {
  const begun = performance.now();
  const { parts, bytes, ...student } = await loadStudent();
  model = { ...student, tokenizer: new Tokenizer(json(parts.tokenizer), {}) };
  postMessage({ kind: "ready", facts: model.facts, bytes, milliseconds: performance.now() - begun });
}

async function work() {
  if (busy || !model) return;
  busy = true;
  while (next) {
    const job = next;
    next = null;
    await translate(job).catch((error) => fail(error, job.id));
  }
  busy = false;
}

function fail(error, id = 0) {
  postMessage({ kind: "failed", id, reason: String(error.message ?? error) });
}

async function translate({ id, page }) {
  const begun = performance.now();
  const paragraphs = [];
  let tokens = 0;
  for (const { boxes, pictures } of paragraphsIn(page, model.facts.height, model.facts.max_columns)) {
    const parts = [];
    for (const picture of pictures) {
      const ids = await read(picture);
      tokens += ids.length;
      parts.push(ids.length ? model.tokenizer.decode(ids, { skip_special_tokens: true }).trim() : "");
      await new Promise((resolve) => setTimeout(resolve)); // lets a newer picture in
      if (next) return;
    }
    const translation = joinedText(parts.filter(Boolean));
    if (translation) paragraphs.push({ boxes, translation });
  }
  postMessage({ kind: "translated", id, paragraphs, tokens, milliseconds: performance.now() - begun });
}

// The tokens of a picture's translation; a loop is searched again without repetitions.
async function read(picture) {
  const { facts, encoder } = model;
  const frames = framesOf(picture, facts.columns_per_frame);
  const input = floats(features(frames), [1, facts.columns_per_frame * facts.height, frames.frames]);
  const { last_hidden_state: states } = await encoder.run({ input_features: input });
  const most = Math.min(facts.positions - 1, mostTokens(frames.frames * facts.columns_per_frame, facts.height));
  const search = (phrase) => greedy(model, { encoder_hidden_states: states }, [facts.pad, facts.pad + 1], most, phrase);
  const ids = await search(0);
  return longestRepetition(ids, LONGEST_PHRASE) > MOST_REPETITIONS ? search(NO_REPEAT) : ids;
}

// Behind a full stop of Chinese or Japanese there is no space.
function joinedText(parts) {
  return parts.reduce((text, part) => (!text || /[。！？]$/u.test(text) ? text + part : `${text} ${part}`), "");
}
