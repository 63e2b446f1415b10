// Translate standard input with transformers.js, a line for a line; run by test_transformers_js.py.
// Arguments: the folder of the export, its name in it, the type of the weights (fp32, q8), and `split` for two tokenizers.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, name, dtype, kind] = process.argv.slice(2);
const library = createRequire(process.cwd() + "/").resolve("@huggingface/transformers");
const { env, pipeline, AutoTokenizer, AutoModelForSeq2SeqLM } = await import(pathToFileURL(library));
env.localModelPath = folder + "/";
env.allowRemoteModels = false;
const texts = readFileSync(0, "utf8").trimEnd().split("\n");
const found = [];
if (kind === "split") {
  const source = await AutoTokenizer.from_pretrained(name);
  const target = await AutoTokenizer.from_pretrained(name + "/target");
  const model = await AutoModelForSeq2SeqLM.from_pretrained(name, { dtype });
  for (const text of texts) {
    const ids = await model.generate(await source(text));
    found.push(target.batch_decode(ids, { skip_special_tokens: true })[0]);
  }
} else {
  const translate = await pipeline("translation", name, { dtype });
  for (const text of texts) found.push((await translate(text))[0].translation_text);
}
process.stdout.write(JSON.stringify(found));
