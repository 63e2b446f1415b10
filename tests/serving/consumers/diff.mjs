// Compare pairs of texts as the server's page does; run by test_page.py.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { compared } = await import(pathToFileURL(process.argv[2]));
const pairs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(pairs.map(([one, other]) => compared(one, other, "en"))));
