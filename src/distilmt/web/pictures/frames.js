// Columns of pixels to the frames that the encoder reads: what distilmt.rendering.frames and .ink compute, number by
// number. A test holds both equal. A picture of a line is {pixels, width, height}: columns from left to right, each from
// top to bottom, one byte a pixel.
const { abs, ceil, floor, fround, max } = Math;
const MIN_CONTRAST = 0.1;
const MIN_INK = 0.1;
const MIN_CORRELATION = 0.2;
const [FEWEST_TOKENS, TOKENS_PER_SQUARE] = [16, 4];

// Frames of a picture of a size: those of whole squares.
export function frameCount(width, height, perFrame) {
  const half = max(2, floor(height / perFrame));
  const inSquare = half + (half % 2);
  return ceil(width / (inSquare * perFrame)) * inSquare;
}

// {data, frames}: float32, frame after frame; 0 is the background, 1 the strongest ink.
export function framesOf({ pixels, width, height }, perFrame) {
  const frames = frameCount(width, height, perFrame);
  const data = new Float32Array(frames * perFrame * height);
  const middle = fround(median(pixels, 255));
  let sum = 0;
  let strongest = 0;
  for (let i = 0; i < pixels.length; i++) {
    data[i] = middle - fround(pixels[i] / 255);
    sum += data[i];
    strongest = max(strongest, abs(data[i]));
  }
  const scale = fround(max(strongest, MIN_CONTRAST)) * (sum < 0 ? -1 : 1);
  for (let i = 0; i < pixels.length; i++) data[i] /= scale;
  return { data, frames };
}

// As the encoder reads them: [frame size, frames].
export function features({ data, frames }) {
  const size = data.length / frames;
  const turned = new Float32Array(data.length);
  for (let frame = 0; frame < frames; frame++) {
    for (let row = 0; row < size; row++) turned[row * frames + frame] = data[frame * size + row];
  }
  return turned;
}

// How many tokens the translation of a picture has at most.
export function mostTokens(columns, height) {
  return FEWEST_TOKENS + floor((TOKENS_PER_SQUARE * columns) / height);
}

// Whether something may be written in a picture: it is not of one brightness, or of noise and shading alone.
export function hasInk({ pixels, width, height }) {
  if (!pixels.length || pixels.every((value) => value === pixels[0])) return false;
  const middle = median(pixels, 255);
  const difference = Float32Array.from(pixels, (value) => fround(value / 255) - middle);
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : difference[x * height + y]);
  let [spot, power, along, across] = [0, 0, 0, 0];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let dx = -1; dx <= 1; dx++) for (let dy = -1; dy <= 1; dy++) sum += at(x + dx, y + dy);
      spot = max(spot, abs(sum) / 9);
      power += at(x, y) ** 2;
      along += at(x, y) * at(x + 1, y);
      across += at(x, y) * at(x, y + 1);
    }
  }
  const means = [width > 1 ? along / ((width - 1) * height) : -1, height > 1 ? across / (width * (height - 1)) : -1];
  return spot >= MIN_INK && max(...means) / (power / pixels.length) >= MIN_CORRELATION;
}

// A picture in parts of at most `most` columns, cut where the least ink is, near the middle.
export function splitColumns(picture, most) {
  const { pixels, width, height } = picture;
  if (width <= most) return [picture];
  const cut = emptiestColumn(picture, max(1, floor(width / 4)), ceil((3 * width) / 4));
  const part = (first, last) => ({ pixels: pixels.subarray(first * height, last * height), width: last - first, height });
  return [part(0, cut), part(cut, width)].flatMap((side) => splitColumns(side, most));
}

function emptiestColumn({ pixels, width, height }, first, last) {
  const middle = median(pixels, 1);
  const ink = new Float64Array(width);
  for (let i = 0; i < pixels.length; i++) ink[floor(i / height)] += abs(pixels[i] - middle);
  const window = max(1, floor(height / 4));
  const ahead = floor((window - 1) / 2);
  let [best, least] = [first, Infinity];
  for (let x = first; x < last; x++) {
    let near = 0;
    for (let k = x + ahead - window + 1; k <= x + ahead; k++) near += ink[k] ?? 0;
    const cost = near + (abs(x - width / 2) / width) * height;
    if (cost < least) [best, least] = [x, cost];
  }
  return best;
}

// The median of bytes divided by `divisor`, in float32.
function median(values, divisor) {
  const counts = new Uint32Array(256);
  for (const value of values) counts[value]++;
  const nth = (n) => counts.findIndex((count) => (n -= count) < 0);
  const [low, high] = [nth(floor((values.length - 1) / 2)), nth(floor(values.length / 2))];
  return fround(fround(fround(low / divisor) + fround(high / divisor)) / 2);
}
