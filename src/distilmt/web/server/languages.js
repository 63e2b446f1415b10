// Which languages can be chosen: what the server translates from, and to from there.
import { languageName, say } from "../shared/page.js";

const source = document.getElementById("source");
const target = document.getElementById("target");
let known = []; // as /languages tells

export function know(languages, first) {
  known = languages.map(({ code, targets, imageTargets = [], audioTargets = [] }) => (
    { code, targets: [...new Set([...targets, ...imageTargets, ...audioTargets])] }
  ));
  show();
  source.value = first.source;
  showTargets(first.target);
}

// Again in the page's language; what was chosen stays.
export function show() {
  const chosen = { source: source.value, target: target.value };
  const from = known.filter(({ targets }) => targets.length).map(({ code }) => code);
  fill(source, ["auto", ...from], chosen.source);
  showTargets(chosen.target);
}

export function showTargets(chosen = target.value) {
  fill(target, targets(source.value), chosen);
}

// Whether the pair is also translated the other way round, from what was detected where nothing else is chosen.
export function canSwap(detected) {
  return targets(target.value).includes(source.value === "auto" ? detected : source.value);
}

export function swap(detected) {
  const [from, to] = [source.value === "auto" ? detected : source.value, target.value];
  source.value = to;
  showTargets(from);
}

function targets(code) {
  const found = known.filter((each) => code === "auto" || each.code === code).flatMap((each) => each.targets);
  return [...new Set(found)].sort();
}

function fill(select, codes, chosen) {
  const options = codes.map((code) => new Option(code === "auto" ? say("detect") : languageName(code), code));
  select.replaceChildren(...options);
  if (codes.includes(chosen)) select.value = chosen;
}
