// What the page of a student that reads pictures computes of pictures; run by test_web_pictures.py.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/${name}.js`));
const { features, framesOf, hasInk, mostTokens, splitColumns } = await load("frames");
const { resized } = await load("scaling");
const { paragraphsIn } = await load("reading");
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");

const actions = {
  // A picture of a line: frames as float32, as the encoder reads them; whether it has ink; widths of its parts.
  line({ pixels, width, height, perFrame, most }) {
    const picture = { pixels: bytes(pixels), width, height };
    const frames = framesOf(picture, perFrame);
    const parts = splitColumns(picture, most).map((part) => part.width);
    return { features: text(features(frames)), frames: frames.frames, ink: hasInk(picture), parts, most: mostTokens(width, height) };
  },
  scale({ pixels, width, height, target }) {
    return text(resized({ data: bytes(pixels), width, height }, ...target).data);
  },
  page({ pixels, width, height, rows, most }) {
    const paragraphs = paragraphsIn({ data: bytes(pixels), width, height }, rows, most);
    return paragraphs.map(({ boxes, pictures }) => ({
      boxes: boxes.map(({ left, top, right, bottom }) => [left, top, right, bottom]),
      pictures: pictures.map((picture) => ({ pixels: text(picture.pixels), width: picture.width })),
    }));
  },
};
const tasks = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(tasks.map(({ action, ...values }) => actions[action](values))));
