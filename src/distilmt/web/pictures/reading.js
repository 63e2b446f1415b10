// A page of pixels to the pictures of lines that the student reads.
import { hasInk, splitColumns } from "./frames.js";
import { joined, paragraphsOf, sentencesOf } from "./joining.js";
import { linesOf } from "./lines.js";
import { grayOf, levelInkOf } from "./page.js";

// The paragraphs of a page from top to bottom: {boxes, pictures}. `boxes` are the places of its lines, {left, top, right,
// bottom} in pixels of the page; `pictures` are {pixels, width, height}, as frames.js has them.
// `page`: {data, width, height}, red, green, blue and alpha. `height`, `mostColumns`: of the pictures that the student reads.
export function paragraphsIn(page, height, mostColumns) {
  const { ink, slope } = levelInkOf(grayOf(page));
  const onPage = ({ box: { left, top, right, bottom } }) => {
    const shift = slope * ((left + right - page.width) / 2);
    return { left, top: top + shift, right, bottom: bottom + shift };
  };
  const paragraphs = paragraphsOf(linesOf(ink)).map((lines) => {
    const sentences = sentencesOf(joined(lines), height, mostColumns);
    const pictures = sentences.flatMap((picture) => splitColumns(picture, mostColumns)).filter(hasInk);
    return { boxes: lines.map(onPage), pictures };
  });
  return paragraphs.filter(({ pictures }) => pictures.length);
}
