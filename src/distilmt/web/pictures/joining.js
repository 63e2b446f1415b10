// The lines of a paragraph side by side, as the student reads them: sentences do not end where lines do. The rules are
// those of distilmt.pictures.joining.
import { resized } from "./scaling.js";

const MARGIN = 0.125; // in heights of the letters: the mean margin of the pictures of the training
const [SPACE, NO_SPACE] = [0.35, 0.1]; // in heights of a line: between two lines, if they have no spaces
const LONG = 8; // width to height of a line that has spaces if its script has
const [HYPHEN_WIDTH, HYPHEN_HEIGHT, HYPHEN_SHAPE, HYPHEN_ROWS] = [0.8, 0.4, 1.25, [0.3, 0.8]];
const [DOT_SIZE, DOT_SHAPE, DOT_BELOW, CAPITAL, ABBREVIATION] = [0.45, 1.35, 0.12, 1.15, 3.2];
const LEAST_HEIGHT = 0.6;
const [PITCH, LIKE] = [1.1, 1.5]; // in heights of a line: space within a paragraph; ratio of the heights of its lines

// Lines that follow each other closely, are equally high, and do not leave room for the first word of the next one.
export function paragraphsOf(lines) {
  const paragraphs = [];
  for (const line of lines) {
    const before = paragraphs.at(-1);
    if (before && follows(before, line)) before.push(line);
    else paragraphs.push([line]);
  }
  return paragraphs;
}

function follows(paragraph, line) {
  const last = paragraph.at(-1);
  const [low, high] = [last.height, line.height].sort((a, b) => a - b);
  if (line.box.top - last.box.bottom > PITCH * low || high > LIKE * low) return false;
  const right = Math.max(...[...paragraph, line].map(({ box }) => box.right));
  const word = (line.gaps[0]?.[0] ?? line.width) + SPACE * line.height;
  return last.box.right + word > right;
}

// Lines one after the other: a space between them, or nothing in place of a hyphen.
export function joined(lines) {
  const ascent = Math.max(...lines.map(({ baseline }) => baseline));
  const descent = Math.max(...lines.map(({ baseline, height }) => height - baseline));
  const space = spaceOf(lines);
  const parts = lines.map((line, number) => {
    const hyphen = number + 1 < lines.length ? hyphenOf(line) : 0;
    return { line, width: line.width - hyphen, space: hyphen || number + 1 === lines.length ? 0 : space };
  });
  const width = parts.reduce((sum, part) => sum + part.width + part.space, 0);
  const run = { width, height: ascent + descent, baseline: ascent, gaps: [], xHeight: 0 };
  run.xHeight = Math.round(median(lines.map(({ xHeight }) => xHeight)));
  for (const name of ["ink", "letters"]) run[name] = new Uint8Array(width * run.height);
  let column = 0;
  for (const part of parts) {
    for (const name of ["ink", "letters"]) paste(run, part, name, column);
    run.gaps.push(...part.line.gaps.filter(([, end]) => end <= part.width).map((gap) => gap.map((x) => x + column)));
    column += part.width;
    if (part.space) run.gaps.push([column, column + part.space]);
    column += part.space;
  }
  return run;
}

function paste(run, { line, width }, name, column) {
  for (let y = 0; y < line.height; y++) {
    const row = (y + run.baseline - line.baseline) * run.width;
    run[name].set(line[name].subarray(y * line.width, y * line.width + width), row + column);
  }
}

function spaceOf(lines) {
  const height = median(lines.map((line) => line.height));
  const widths = lines.flatMap(({ gaps }) => gaps.map(([start, end]) => end - start));
  if (widths.length) return Math.max(1, Math.round(median(widths)));
  const isLong = Math.max(...lines.map(({ width }) => width)) > LONG * height;
  return Math.max(1, Math.round(height * (isLong ? NO_SPACE : SPACE)));
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}

// Columns of a hyphen at the end of a line, with the space before it; 0 if there is none.
function hyphenOf(line) {
  const first = startOfLastPart(line, line.width);
  const rows = rowsOf(line, first, line.width);
  if (!rows || first === 0 || line.width - first > HYPHEN_WIDTH * line.xHeight) return 0;
  const middle = (line.baseline - (rows[0] + rows[1]) / 2) / line.xHeight;
  const thickness = rows[1] - rows[0];
  const isFlat = thickness <= Math.min(HYPHEN_HEIGHT * line.xHeight, (line.width - first) / HYPHEN_SHAPE);
  if (!isFlat || middle <= HYPHEN_ROWS[0] || middle >= HYPHEN_ROWS[1]) return 0;
  let end = first;
  while (end > 0 && isEmpty(line, end - 1)) end--;
  return line.width - end;
}

function isEmpty({ letters, width, height }, x) {
  for (let y = 0; y < height; y++) if (letters[y * width + x]) return false;
  return true;
}

// First row with ink between two columns, and the row after the last; null if there is none.
function rowsOf({ letters, width, height }, left, right) {
  const has = (y) => letters.subarray(y * width + left, y * width + right).includes(1);
  let [top, bottom] = [0, height];
  while (top < height && !has(top)) top++;
  while (bottom > top && !has(bottom - 1)) bottom--;
  return bottom > top ? [top, bottom] : null;
}

// First column of the ink without an empty column that ends before a column.
function startOfLastPart(run, end, start = 0) {
  for (let x = end - 1; x >= start; x--) if (isEmpty(run, x)) return x + 1;
  return start;
}

// A paragraph in pictures that a student reads, each a sentence or a part of one: {pixels, width, height}, columns of
// bytes, dark on white.
export function sentencesOf(run, height, mostColumns) {
  const stops = run.gaps.filter((_, number) => isFullStop(run, number));
  const widest = Math.floor((mostColumns * run.height * (1 + 2 * MARGIN)) / height - 2 * MARGIN * run.height);
  const edges = [0, ...stops.flat(), run.width];
  const parts = [];
  for (let i = 0; i < edges.length; i += 2) if (edges[i + 1] > edges[i]) parts.push([edges[i], edges[i + 1]]);
  const narrow = parts.flatMap(([first, last]) => narrowParts(run, first, last, Math.max(widest, 1)));
  return narrow.filter(([first, last]) => rowsOf(run, first, last)).map((part) => columnsOf(run, ...part, height, mostColumns));
}

// Whether a dot on the baseline ends a word before a gap, and a capital letter begins the word after it.
function isFullStop(run, number) {
  const [start, end] = run.gaps[number];
  const word = number ? run.gaps[number - 1][1] : 0;
  const dot = startOfLastPart(run, start, word);
  const rows = rowsOf(run, dot, start);
  const size = DOT_SIZE * run.xHeight;
  if (!rows || start - dot > size || dot - word < ABBREVIATION * run.xHeight) return false;
  const [below, high] = [rows[1] - run.baseline, rows[1] - rows[0]];
  // A comma is higher than wide, and ends below the baseline.
  const isDot = high <= Math.min(size, DOT_SHAPE * (start - dot)) && Math.abs(below) <= DOT_BELOW * run.xHeight + 0.5;
  return isDot && beginsTall(run, end);
}

function beginsTall(run, first) {
  let last = first;
  while (last < run.width && !isEmpty(run, last)) last++;
  const rows = rowsOf(run, first, last);
  return rows !== null && run.baseline - rows[0] >= CAPITAL * run.xHeight;
}

// A part cut at the widest gaps, not far from equal lengths, until no part is wider than allowed.
function narrowParts(run, first, last, widest) {
  if (last - first <= widest) return [[first, last]];
  const target = first + (last - first) / Math.ceil((last - first) / widest);
  const inside = run.gaps.filter(([start, end]) => first < start && end < last && start - first <= widest);
  if (!inside.length) return [[first, last]]; // the translator cuts where the least ink is
  const value = ([start, end]) => end - start - (Math.abs(start - target) / widest) * run.height;
  const [start, end] = inside.reduce((best, gap) => (value(gap) > value(best) ? gap : best));
  return [[first, start], ...narrowParts(run, end, last, widest)];
}

// With the margins of the pictures of the training, at the student's height.
function columnsOf(run, first, last, height, mostColumns) {
  let [left, right] = [first, last];
  while (isEmpty(run, left)) left++;
  while (isEmpty(run, right - 1)) right--;
  let [top, bottom] = rowsOf(run, left, right);
  // A line of dots or dashes alone stays one: its letters are not enlarged to the full height.
  top = Math.max(0, Math.trunc(Math.min(top, bottom - LEAST_HEIGHT * run.height)));
  if ((right - left) * height > (mostColumns - height) * (bottom - top) * (1 + 2 * MARGIN)) [top, bottom] = [0, run.height];
  const margin = Math.round(MARGIN * (bottom - top));
  const line = { width: right - left + 2 * margin, height: bottom - top + 2 * margin };
  line.data = new Uint8Array(line.width * line.height).fill(255);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      line.data[(y - top + margin) * line.width + x - left + margin] = 255 - run.ink[y * run.width + x];
    }
  }
  const width = Math.max(1, Math.round((line.width * height) / line.height));
  const scaled = resized(line, width, height);
  const pixels = new Uint8Array(width * height);
  for (let x = 0; x < width; x++) for (let y = 0; y < height; y++) pixels[x * height + y] = scaled.data[y * width + x];
  return { pixels, width, height };
}
