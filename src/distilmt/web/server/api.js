// LibreTranslate's API, as the server of this page speaks it.
let key = "";

export function useKey(text) {
  key = text;
}

export const get = (path) => answered(fetch(path, { headers: key ? { Authorization: `Bearer ${key}` } : {} }));

// A page of the server that wants the key too, as the address of a link.
export const linked = (path) => path.replace(/^\//, "") + (key ? `&api_key=${encodeURIComponent(key)}` : "");

export function post(path, values, signal) {
  const body = JSON.stringify(key ? { ...values, api_key: key } : values);
  return answered(fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body, signal }));
}

export function postFile(path, file, values) {
  const body = new FormData();
  for (const [name, value] of Object.entries(key ? { ...values, api_key: key } : values)) body.append(name, value);
  body.append("file", file);
  return answered(fetch(path, { method: "POST", body }));
}

// What was answered; an Error whose message is the server's own line, or empty where there was no answer.
async function answered(promise) {
  let response;
  try {
    response = await promise;
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error("");
  }
  const found = await response.json().catch(() => ({ error: `HTTP ${response.status}` }));
  const error = found.error?.message ?? found.error; // an object below /v1/
  if (!response.ok || error) throw new Error(error ?? `HTTP ${response.status}`);
  return found;
}
