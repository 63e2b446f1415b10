// A picture as the browser decodes it (red, green, blue, alpha) to ink: how far each pixel is from its background, 0 to
// 255, whether text is dark or light. Pictures are {data, width, height}, row by row, one byte a pixel.
const TILES = 8; // in the shorter side
const SMALLEST_TILE = 48; // pixels

// Shades of gray. What is transparent is on white; on black, if what is visible is light.
export function grayOf({ data, width, height }) {
  const gray = new Uint8Array(width * height);
  let [visible, brightness] = [0, 0];
  for (let i = 0; i < gray.length; i++) {
    gray[i] = (data[4 * i] * 19595 + data[4 * i + 1] * 38470 + data[4 * i + 2] * 7471 + 0x8000) >> 16;
    visible += data[4 * i + 3];
    brightness += gray[i] * data[4 * i + 3];
  }
  const ground = brightness > 127 * visible ? 0 : 255;
  for (let i = 0; i < gray.length; i++) {
    const alpha = data[4 * i + 3];
    if (alpha < 255) gray[i] = Math.floor((gray[i] * alpha + ground * (255 - alpha)) / 255);
  }
  return { data: gray, width, height };
}

// The difference to the background, which may change over the page; text covers less than half of it.
function inkOf(gray) {
  const { data, width, height } = gray;
  const difference = backgroundOf(gray);
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += difference[i] -= data[i];
  const ink = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) ink[i] = Math.max(0, sum < 0 ? -difference[i] : difference[i]);
  return { data: ink, width, height };
}

// Medians of tiles, and what lies between them.
function backgroundOf({ data, width, height }) {
  const size = Math.max(SMALLEST_TILE, Math.ceil(Math.min(width, height) / TILES));
  const [across, down] = [width, height].map((length) => Math.max(1, Math.round(length / size)));
  const medians = [];
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < across; column++) {
      const edges = [(column * width) / across, ((column + 1) * width) / across, (row * height) / down, ((row + 1) * height) / down];
      medians.push(median(data, width, ...edges.map(Math.floor)));
    }
  }
  const overall = median(data, width, 0, width, 0, height);
  const deviations = medians.map((value) => Math.abs(value - overall)).sort((a, b) => a - b);
  // A tile full of heavy letters has their brightness as its median: it does not count.
  const spread = Math.max(8, 2 * deviations[Math.floor(deviations.length / 2)]) + 24;
  const near = medians.map((value) => (Math.abs(value - overall) <= spread ? value : overall));
  return interpolated(near, across, down, width, height);
}

function median(data, width, left, right, top, bottom) {
  const counts = new Uint32Array(256);
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) counts[data[y * width + x]]++;
  let open = Math.floor(((right - left) * (bottom - top) - 1) / 2);
  return counts.findIndex((count) => (open -= count) < 0);
}

function interpolated(values, across, down, width, height) {
  const result = new Float32Array(width * height);
  const row = new Float32Array(across);
  for (let y = 0; y < height; y++) {
    const [top, bottom, below] = between(y, height, down);
    for (let k = 0; k < across; k++) row[k] = values[top * across + k] * (1 - below) + values[bottom * across + k] * below;
    for (let k = 0; k < across; k++) {
      // Columns between the middle of a tile and that of the next one; the first and the last tile reach to the edges.
      const [first, last] = [k, k + 1].map((tile) => Math.ceil(((tile + 0.5) * width) / across - 0.5));
      const step = k + 1 < across ? ((row[k + 1] - row[k]) * across) / width : 0;
      const start = ((k + 0.5) * width) / across - 0.5;
      for (let x = k ? first : 0; x < (k + 1 < across ? last : width); x++) {
        result[y * width + x] = row[k] + Math.max(0, x - start) * step;
      }
    }
  }
  return result;
}

// The tiles before and after a place, and how near it is to the second, 0 to 1.
function between(place, length, count) {
  const exact = Math.min(Math.max(((place + 0.5) * count) / length - 0.5, 0), count - 1);
  return [Math.floor(exact), Math.min(Math.floor(exact) + 1, count - 1), exact % 1];
}

// The ink of a page, {ink, slope}. A page whose lines rise or fall by a degree or two is sheared so that they are level.
export function levelInkOf(gray) {
  const ink = inkOf(gray);
  const slope = slopeOf(ink);
  if (!slope) return { ink, slope };
  const { data, width, height } = gray;
  const level = new Uint8Array(data.length);
  for (let x = 0; x < width; x++) {
    const shift = slope * (x - width / 2);
    const [whole, part] = [Math.floor(shift), shift - Math.floor(shift)];
    const at = (y) => data[Math.min(Math.max(y, 0), height - 1) * width + x];
    for (let y = 0; y < height; y++) level[y * width + x] = at(y + whole) * (1 - part) + at(y + whole + 1) * part + 0.5;
  }
  return { ink: inkOf({ data: level, width, height }), slope };
}

const [STEEPEST, STEP, LEAST_GAIN, SAMPLES] = [0.08, 0.004, 1.1, 60_000];

// Rows gained by a column to the right, for the slope at which rows of ink and rows without it differ most.
function slopeOf({ data, width, height }) {
  const least = 0.4 * contrastOf(data);
  const points = [];
  for (let i = 0; i < data.length; i++) if (data[i] > least) points.push(i);
  const every = Math.ceil(points.length / SAMPLES) || 1;
  const sharpness = (slope) => {
    const profile = new Float64Array(2 * height);
    for (let k = 0; k < points.length; k += every) {
      const [x, y] = [points[k] % width, Math.floor(points[k] / width)];
      profile[Math.round(y - slope * (x - width / 2) + height / 2)]++;
    }
    return profile.reduce((sum, count) => sum + count ** 2, 0);
  };
  const level = sharpness(0);
  let [best, most] = [0, LEAST_GAIN * level];
  for (let slope = -STEEPEST; slope <= STEEPEST; slope += STEP) {
    const value = sharpness(slope);
    if (value > most) [best, most] = [slope, value];
  }
  return best;
}

// Typical value of the strongest ink: the mean of its strongest half percent.
export function contrastOf(ink) {
  const counts = new Uint32Array(256);
  for (const value of ink) counts[value]++;
  const count = Math.max(1, Math.floor(ink.length / 200));
  let [open, sum] = [count, 0];
  for (let value = 255; value > 0 && open > 0; value--) {
    const taken = Math.min(open, counts[value]);
    sum += taken * value;
    open -= taken;
  }
  return sum / count;
}
