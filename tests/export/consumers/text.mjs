// Normalise each of a list of texts and split it into sentences as the browser's page does; run by test_web.py.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { joined, normalised, sentences } = await import(pathToFileURL(process.argv[2]));
const { texts, abbreviations } = JSON.parse(readFileSync(0, "utf8"));
const found = texts.map((text) => {
  const line = normalised(text);
  const parts = sentences(line, new Set(abbreviations));
  return [line, parts, joined(parts)];
});
process.stdout.write(JSON.stringify(found));
