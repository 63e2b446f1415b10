// Recordings: made with the microphone, chosen or dropped, translated by the server, shown sentence by sentence with times.
import { copy, number, say } from "../shared/page.js";
import { postFile } from "./api.js";

const byId = (id) => document.getElementById(id);
const [zone, record, player, texts, status] = ["recordings", "record", "player", "recording-text", "recording-status"].map(byId);
const NAME = "microphone"; // of what is recorded here; the server reads the content
let recorder = null;
let shown = ""; // the text of the last recording
let line = ["empty", {}];
let latest = 0;

// `pair` tells the languages that are chosen.
export function setUp(pair) {
  zone.hidden = false;
  byId("recording").addEventListener("change", ({ target }) => {
    if (target.files.length) translate(target.files[0], pair());
    target.value = ""; // so that the same recording can be chosen again
  });
  record.disabled = !navigator.mediaDevices || !window.MediaRecorder; // plain HTTP has no microphone
  record.addEventListener("click", () => (recorder ? recorder.stop() : start(pair)));
  byId("copy-recording").addEventListener("click", () => copy(shown).then(() => report("copied")));
}

export function isRecording(file) {
  return /^(audio|video)\//.test(file.type);
}

async function start(pair) {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    const parts = [];
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    recorder.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop(); // the browser's sign that it listens goes out
      const { mimeType } = recorder;
      setRecorder(null);
      translate(new File(parts, NAME, { type: mimeType }), pair());
    });
    recorder.start();
    setRecorder(recorder);
    report("recording");
  } catch {
    setRecorder(null);
    report("noMicrophone", {}, true);
  }
}

function setRecorder(value) {
  recorder = value;
  record.setAttribute("aria-pressed", value !== null);
  record.textContent = say(value ? "stop" : "record");
}

export async function translate(file, { source, target }) {
  const mine = ++latest;
  report("working", { name: file.name === NAME ? say("speechOf") : file.name });
  texts.classList.add("stale");
  const begun = performance.now();
  try {
    const values = { model: "", response_format: "verbose_json", source, target };
    const { segments } = await postFile("v1/audio/translations", file, values);
    if (mine !== latest) return;
    draw(file, segments, target);
    report(segments.length ? "speechDone" : "noSpeech", { ms: number(performance.now() - begun) });
  } catch (error) {
    if (mine === latest) report("failed", { reason: error.message || say("unreachable") }, true);
  } finally {
    if (mine === latest) texts.classList.remove("stale");
  }
}

// Again in the page's language.
export function show() {
  record.textContent = say(recorder ? "stop" : "record");
  report(...line);
}

// The recording to listen to, and every sentence behind a button that plays it.
function draw(file, segments, target) {
  if (player.src) URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(file);
  shown = segments.map(({ text }) => text).join("\n");
  texts.lang = target;
  texts.replaceChildren(...segments.map(sentence));
  byId("recording-pane").hidden = false;
  byId("copy-recording").disabled = !shown;
}

function sentence({ start, text }) {
  const clock = `${Math.floor(start / 60)}:${String(Math.floor(start % 60)).padStart(2, "0")}`;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: clock });
  button.ariaLabel = say("play", { clock });
  button.addEventListener("click", () => { player.currentTime = start; player.play(); });
  const paragraph = document.createElement("p");
  paragraph.append(button, " ", text);
  return paragraph;
}

function report(key, values = {}, bad = false) {
  line = [key, values, bad];
  status.textContent = say(key, values);
  status.classList.toggle("bad", bad);
}
