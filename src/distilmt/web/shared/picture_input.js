// Pictures that people choose, take with a camera, paste or drop.

// `take` is called with each picture that is chosen with the inputs of these ids, or pasted anywhere on the page.
export function listenForPictures(ids, take) {
  for (const id of ids) {
    document.getElementById(id).addEventListener("change", ({ target }) => {
      if (target.files.length) take(target.files[0]);
      target.value = ""; // so that the same picture can be chosen again
    });
  }
  document.addEventListener("paste", (event) => {
    const picture = [...event.clipboardData.files].find(isPicture);
    if (!picture || event.clipboardData.types.includes("text/plain")) return; // offices paste text as a picture too
    event.preventDefault();
    take(picture);
  });
}

// `take` is called with a file that is dropped anywhere on the page; `zones` show that it can be.
export function listenForDrops(zones, take) {
  const mark = (over) => zones.forEach((zone) => zone.classList.toggle("over", over));
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("dragover", () => mark(true));
  document.addEventListener("dragleave", () => mark(false));
  document.addEventListener("drop", ({ dataTransfer }) => {
    mark(false);
    if (dataTransfer.files.length) take(dataTransfer.files[0]);
  });
}

export function isPicture(file) {
  return file.type.startsWith("image/");
}

// An image element with the picture of a file, or null if the browser cannot show it. It is not decoded yet, so that its
// size can be checked. Its address lasts until it is revoked.
export async function imageOf(file) {
  const image = Object.assign(new Image(), { alt: file.name });
  const isShown = await new Promise((resolve) => {
    image.onload = () => resolve(image.naturalWidth > 0);
    image.onerror = () => resolve(false);
    image.src = URL.createObjectURL(file);
  });
  if (isShown) return image;
  URL.revokeObjectURL(image.src);
  return null;
}
