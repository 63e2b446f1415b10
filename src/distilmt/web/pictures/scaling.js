// Scaling of gray pictures with cubic interpolation, as Pillow scales them: integer weights of 22 bits, rows of pixels
// first, then columns, each rounded to a byte. A test holds it equal to `scaled` of rendering/drawing.py. A picture is {data, width, height}, row by row.
const BITS = 22;
const REACH = 2;
const CURVE = -0.5;

export function resized(picture, width, height) {
  const wide = width === picture.width ? picture : scaledRows(picture, width);
  return height === wide.height ? wide : turned(scaledRows(turned(wide), height));
}

function scaledRows({ data, width, height }, target) {
  const scaled = new Uint8Array(target * height);
  weights(width, target).forEach(({ first, values }, x) => {
    for (let y = 0; y < height; y++) {
      let sum = 2 ** (BITS - 1);
      for (let k = 0; k < values.length; k++) sum += data[y * width + first + k] * values[k];
      scaled[y * target + x] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** BITS)));
    }
  });
  return { data: scaled, width: target, height };
}

// For every target pixel the first source pixel that counts, and the weights from there on.
function weights(length, target) {
  const scale = length / target;
  const wide = Math.max(scale, 1);
  return Array.from({ length: target }, (_, number) => {
    const center = (number + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - REACH * wide + 0.5));
    const last = Math.min(length, Math.trunc(center + REACH * wide + 0.5));
    const exact = [];
    for (let i = first; i < last; i++) exact.push(cubic((i - center + 0.5) * (1 / wide)));
    const sum = exact.reduce((total, value) => total + value, 0);
    const values = exact.map((value) => (sum ? value / sum : value) * 2 ** BITS);
    return { first, values: values.map((value) => Math.trunc(value + (value < 0 ? -0.5 : 0.5))) };
  });
}

function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return ((CURVE + 2) * x - (CURVE + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * CURVE : 0;
}

function turned({ data, width, height }) {
  const other = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) other[x * height + y] = data[y * width + x];
  return { data: other, width: height, height: width };
}
