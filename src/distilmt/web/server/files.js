// Files: chosen or dropped, translated by the server, offered for download.
import { say } from "../shared/page.js";
import { postFile } from "./api.js";

const zone = document.getElementById("files");
const input = document.getElementById("file");
const done = document.getElementById("done");

// `pair` tells the languages that are chosen.
export function setUp(kinds, pair) {
  zone.hidden = false;
  input.accept = kinds.join(",");
  document.getElementById("kinds").textContent = kinds.join("  ");
  input.addEventListener("change", () => translate(input.files[0], pair()));
}

export async function translate(file, { source, target }) {
  if (!file) return;
  done.classList.remove("bad");
  done.textContent = say("working", { name: file.name });
  try {
    const { translatedFileUrl } = await postFile("translate_file", file, { source, target });
    const address = new URL(translatedFileUrl);
    const name = decodeURIComponent(address.pathname.split("/").pop()).replace(/^[^.]+\./, "");
    // The server may know itself by another name than the browser: its path holds.
    const link = Object.assign(document.createElement("a"), { href: address.pathname, download: name });
    link.textContent = say("download", { name });
    done.replaceChildren(link);
  } catch (error) {
    done.classList.add("bad");
    done.textContent = error.message || say("unreachable");
  }
  input.value = ""; // so that the same file can be chosen again
}
