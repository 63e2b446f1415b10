// The npm package `translate`, which knows LibreTranslate: node translate.mjs URL FROM TO TEXT…, a translation a line.
import { Translate } from "translate";

const [url, from, to, ...texts] = process.argv.slice(2);
const translate = Translate({ engine: "libre", url: `${url}/translate`, key: "any", from, to });
for (const text of texts) console.log(await translate(text));
