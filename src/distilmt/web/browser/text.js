// A line as distilmt.corpora.cleaning.normalise makes it, and its sentences, by the rules of distilmt.corpora.sentences: a
// test holds both equal.
const INVISIBLE = /[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+/gu;
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/gu;
const SURROGATE = /[\ud800-\udfff]/gu;
const WESTERN_END = /[.!?…।॥۔؟։።፧။។]+["'”’»)\]]*\s+(?=["'“‘«(\[¿¡„»]*([\p{L}\p{N}_]))/gu;
const EASTERN_END = /(?<=[。！？])(?![。！？」』）”’])|(?<=[。！？][」』）”’])/u;
const LONG = 40; // characters that are looked back for an abbreviation

export function normalised(line) {
  const visible = line.replace(INVISIBLE, "").replace(SURROGATE, "\ufffd");
  return visible.replace(CONTROL, " ").replace(/\s+/gu, " ").trim().normalize("NFC");
}

export function sentences(text, abbreviations) {
  return text.split(EASTERN_END).flatMap((part) => western(part, abbreviations));
}

function western(text, abbreviations) {
  const found = [];
  let start = 0;
  for (const match of text.matchAll(WESTERN_END)) {
    // The letters of Georgian are lower-case ones for Unicode, but a sentence starts with them.
    const isLower = /(?![\u10d0-\u10ff])\p{Lowercase}/u.test(match[1]);
    const before = text.slice(Math.max(start, match.index - LONG), match.index);
    if (isLower || isAbbreviation(before, match[0], abbreviations)) continue;
    const end = match.index + match[0].length;
    found.push(text.slice(start, end).trim());
    start = end;
  }
  const rest = text.slice(start).trim();
  return rest ? [...found, rest] : found;
}

// Whether a full stop belongs to the word before it (`e.g.`, an initial).
function isAbbreviation(before, end, abbreviations) {
  if (!end.startsWith(".") || end.startsWith("..")) return false;
  const word = (before.trim().split(/\s+/u).pop() ?? "").toLowerCase().replace(/^["'“‘«(\[]+/u, "");
  return abbreviations.has(word) || /^\p{L}$/u.test(word);
}

// Sentences of one line together; behind a full stop of Chinese or Japanese there is no space.
export function joined(parts) {
  return parts.reduce((text, part) => (!text || /[。！？]$/u.test(text) ? text + part : `${text} ${part}`), "");
}
