// What every page has: words in English and Chinese, dark and light. Elements name their words: `data-text` for what they
// say, `data-label` for what a screen reader says, `data-hint` for an empty field.
const root = document.documentElement;
const PAGES_WORDS = {
  en: { theme: "Dark", language: "中文", skip: "Skip to the text" },
  zh: { theme: "深色", language: "English", skip: "跳到文本" },
};
let words = PAGES_WORDS;
let changed = () => {};

const keep = {
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private window: not kept */ } },
};

// `pageWords`: {en: {key: text}, zh: {…}}; `whenChanged` is called after the page's language changed.
export function setUp(pageWords, whenChanged) {
  words = { en: { ...PAGES_WORDS.en, ...pageWords.en }, zh: { ...PAGES_WORDS.zh, ...pageWords.zh } };
  changed = whenChanged;
  const theme = document.getElementById("theme");
  theme.addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  document.getElementById("language").addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh"));
  if (keep.get("theme")) root.dataset.theme = keep.get("theme");
  theme.setAttribute("aria-pressed", isDark());
  setLanguage(keep.get("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"), false);
}

// The words of a key in the page's language, with {names} filled in.
export function say(key, values = {}) {
  return words[language()][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function language() {
  return root.lang.startsWith("zh") ? "zh" : "en";
}

export function number(value, digits = 0) {
  return value.toLocaleString(root.lang, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

// `it` in the page's language; a code that has no name stays.
export function languageName(code) {
  try {
    return new Intl.DisplayNames(root.lang, { type: "language" }).of(code.replaceAll("_", "-"));
  } catch {
    return code;
  }
}

// Put an element's text on the clipboard; where the browser lets no page do so (plain HTTP), by selecting it.
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme) {
  root.dataset.theme = theme;
  keep.set("theme", theme);
  document.getElementById("theme").setAttribute("aria-pressed", theme === "dark");
}

function setLanguage(code, chosen = true) {
  root.lang = code === "zh" ? "zh-CN" : "en";
  if (chosen) keep.set("language", code);
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.ariaLabel = say(element.dataset.label);
  for (const element of document.querySelectorAll("[data-hint]")) element.placeholder = say(element.dataset.hint);
  const other = document.getElementById("language");
  other.lang = code === "zh" ? "en" : "zh-CN";
  changed();
}
