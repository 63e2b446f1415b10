// Which words of two texts differ: what is not in their longest common subsequence.
const MOST = 4_000_000; // cells of the table; longer texts are shown without marks

// Both texts as lists of [part, whether it differs]; null where they are too long.
export function compared(one, other, language) {
  const [a, b] = [parts(one, language), parts(other, language)];
  if (a.length * b.length > MOST) return null;
  const longest = table(a, b);
  const marks = [a.map((part) => [part, true]), b.map((part) => [part, true])];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) marks[0][i++][1] = marks[1][j++][1] = false;
    else if (longest[i + 1][j] >= longest[i][j + 1]) i++;
    else j++;
  }
  return marks.map((side) => side.map(([part, differs]) => [part, differs && Boolean(part.trim())]));
}

// Words, spaces and punctuation; characters where the browser knows no words.
function parts(text, language) {
  if (!Intl.Segmenter) return text.match(/[\p{L}\p{N}]+|\s+|./gsu) ?? [];
  return Array.from(new Intl.Segmenter(language, { granularity: "word" }).segment(text), ({ segment }) => segment);
}

// Lengths of the longest common subsequences of what is left of both from every place on.
function table(a, b) {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      rows[i][j] = a[i] === b[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    }
  }
  return rows;
}
