// The lines of text of a clean page: rows with ink between rows without. Columns of text, tables, and text on photographs
// need a detector, which the server has.
import { contrastOf } from "./page.js";

const LEAST_CONTRAST = 20; // of 255
const IS_LETTER = 0.4; // of the contrast
const [LEAST_HEIGHT, LEAST_WIDTH] = [6, 3]; // pixels of a line
const ACCENT = 0.5; // of the usual height of a line: what is lower is a part of the nearest one
const ACCENT_GAP = 0.3; // of the usual height
const LONG_RUN = 0.5; // of the page: a rule or a border, no letter
const [FAINT, FULL, MOST_HALFTONES] = [0.15, 0.6, 1.6]; // more pixels between background and letters are a photograph
const MOST_INK = 0.6; // of the box of a line
const STROKES = [1.2, 4.8]; // of small letters in a row, beside a length as the line is high: textures have others
const LEAST_CORE = 0.3; // of the height of a line: small letters
const WORD_GAP = 0.2; // of the height of a line
const CORE = 0.3; // of the most ink in a row of a line: rows of small letters have it

// Lines from top to bottom: {box: {left, top, right, bottom}, ink, letters, baseline, xHeight, gaps, width, height}.
export function linesOf(ink) {
  const contrast = contrastOf(ink.data);
  if (contrast < LEAST_CONTRAST || isPhotograph(ink, contrast)) return [];
  const letters = { ...ink, data: new Uint8Array(ink.data.length) };
  for (let i = 0; i < ink.data.length; i++) letters.data[i] = ink.data[i] > IS_LETTER * contrast;
  removeRules(letters);
  removeSpecks(letters);
  return bands(letters).flatMap(([top, bottom]) => lineIn(ink, letters, top, bottom) ?? []);
}

function isPhotograph({ data }, contrast) {
  let [halftones, full] = [0, 0];
  for (const value of data) {
    if (value >= FULL * contrast) full++;
    else if (value > FAINT * contrast) halftones++;
  }
  return halftones > MOST_HALFTONES * full;
}

// Rules and borders would be ink in every row, or across all letters.
function removeRules({ data, width, height }) {
  const remove = (count, length, at) => {
    for (let line = 0; line < count; line++) {
      for (let start = 0, end; start < length; start = end + 1) {
        for (end = start; end < length && data[at(line, end)]; end++);
        if (end - start > Math.max(LONG_RUN * length, 100)) for (let i = start; i < end; i++) data[at(line, i)] = 0;
      }
    }
  };
  remove(height, width, (row, column) => row * width + column);
  remove(width, height, (column, row) => row * width + column);
}

function removeSpecks({ data, width, height }) {
  const alone = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!data[y * width + x]) continue;
      let near = 0;
      for (let j = Math.max(y - 1, 0); j <= Math.min(y + 1, height - 1); j++) {
        for (let i = Math.max(x - 1, 0); i <= Math.min(x + 1, width - 1); i++) near += data[j * width + i];
      }
      if (near < 3) alone.push(y * width + x);
    }
  }
  for (const place of alone) data[place] = 0;
}

// First and last row of every line; accents and dots belong to the nearest one.
function bands({ data, width, height }) {
  const found = runs(height, (y) => data.subarray(y * width, (y + 1) * width).includes(1));
  const usual = weightedMedian(found.map(([top, bottom]) => bottom - top));
  const whole = found.filter(([top, bottom]) => bottom - top >= ACCENT * usual);
  for (const [top, bottom] of found.filter((each) => !whole.includes(each))) {
    const distance = (line) => Math.max(line[0] - bottom, top - line[1]);
    const nearest = whole.reduce((best, line) => (distance(line) < distance(best) ? line : best), whole[0]);
    if (distance(nearest) > ACCENT_GAP * usual) continue;
    nearest[0] = Math.min(nearest[0], top);
    nearest[1] = Math.max(nearest[1], bottom);
  }
  return whole.filter(([top, bottom]) => bottom - top >= LEAST_HEIGHT);
}

function weightedMedian(lengths) {
  const sorted = [...lengths].sort((a, b) => a - b);
  let half = sorted.reduce((sum, length) => sum + length, 0) / 2;
  return sorted.find((length) => (half -= length) <= 0) ?? 0;
}

// [first, after the last] of the runs of numbers for which something holds.
function runs(length, holds) {
  const found = [];
  for (let start = 0, end; start < length; start = end + 1) {
    for (end = start; end < length && holds(end); end++);
    if (end > start) found.push([start, end]);
  }
  return found;
}

// A line, unless its ink is no row of letters.
function lineIn(ink, letters, top, bottom) {
  const { width } = letters;
  const columns = runs(width, (x) => {
    for (let y = top; y < bottom; y++) if (letters.data[y * width + x]) return true;
    return false;
  });
  const [left, right, height] = [columns[0][0], columns.at(-1)[1], bottom - top];
  const cut = ({ data }) => {
    const part = new Uint8Array((right - left) * height);
    for (let y = 0; y < height; y++) part.set(data.subarray((top + y) * width + left, (top + y) * width + right), y * (right - left));
    return part;
  };
  const line = { width: right - left, height, letters: cut(letters) };
  const [first, baseline] = core(line);
  if (line.width < LEAST_WIDTH || !hasLetters(line, first, baseline)) return null;
  const gaps = columns.slice(1).map(([start], i) => [columns[i][1] - left, start - left]);
  return {
    ...line,
    ink: softened(cut(ink), line),
    box: { left, top, right, bottom },
    baseline,
    xHeight: Math.max(1, baseline - first),
    gaps: gaps.filter(([start, end]) => end - start >= WORD_GAP * height),
  };
}

// Letters cover a part of their box, and have as many strokes as letters have.
function hasLetters({ letters, width, height }, first, baseline) {
  const ink = letters.reduce((sum, value) => sum + value, 0);
  let strokes = 0;
  for (let y = first; y < baseline; y++) strokes += runs(width, (x) => letters[y * width + x]).length;
  const density = ((strokes / (baseline - first)) * height) / width;
  const isText = density >= STROKES[0] && density <= STROKES[1] && baseline - first >= LEAST_CORE * height;
  return isText && ink <= MOST_INK * letters.length;
}

// First row of the small letters and the row after the baseline.
function core({ letters, width, height }) {
  const profile = Array.from({ length: height }, (_, y) => letters.subarray(y * width, (y + 1) * width).reduce((sum, value) => sum + value, 0));
  const edge = Math.floor(height / 6);
  const middle = profile.slice(edge, Math.max(edge + 1, height - edge));
  const strongest = middle.indexOf(Math.max(...middle)) + edge;
  const isCore = (y) => profile[y] >= CORE * profile[strongest];
  let [first, last] = [strongest, strongest];
  while (first > 0 && isCore(first - 1)) first--;
  while (last + 1 < height && isCore(last + 1)) last++;
  return [first, last + 1];
}

// The ink of letters and of their soft edges; all else is background.
function softened(ink, { letters, width, height }) {
  return ink.map((value, place) => {
    const [x, y] = [place % width, Math.floor(place / width)];
    for (let j = Math.max(y - 1, 0); j <= Math.min(y + 1, height - 1); j++) {
      for (let i = Math.max(x - 1, 0); i <= Math.min(x + 1, width - 1); i++) if (letters[j * width + i]) return value;
    }
    return 0;
  });
}
