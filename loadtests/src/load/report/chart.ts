/** Line charts as SVG text, so that a report needs nothing from anywhere. */
export type Line = {
  name: string;
  /** Pairs of second and value; a gap where the value is undefined. */
  points: readonly (readonly [number, number | undefined])[];
  /** The line of an earlier run is thin and dashed. */
  isEarlier?: boolean;
};
export type Mark = { at: number; label: string };

const [WIDTH, HEIGHT] = [720, 240];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 12, 12, 28];
const COLOURS = ['#1f5fa8', '#c2571a', '#2c7a3f', '#8c3b8f', '#a38a00', '#0f7f86', '#a8324a', '#555555'];
const GRID_LINES = 4;

export function chart(
  title: string,
  unit: string,
  lines: readonly Line[],
  marks: readonly Mark[] = [],
): string {
  const present = lines.filter(({ points }) => points.some(([, value]) => value !== undefined));
  if (present.length === 0) return '';
  const values = present.flatMap(({ points }) => points.flatMap(([, value]) => value ?? []));
  const seconds = present.flatMap(({ points }) => points.map(([second]) => second));
  const top = niceTop(Math.max(...values));
  const [first, last] = [Math.min(0, ...seconds), Math.max(1, ...seconds)];
  const x = (second: number) => LEFT + ((second - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const grid = Array.from({ length: GRID_LINES + 1 }, (_, index) => (top * index) / GRID_LINES)
    .map(
      (value) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${shown(value)}</text>`,
    )
    .join('');
  const times = Array.from({ length: 6 }, (_, index) => first + ((last - first) * index) / 5)
    .map((at) => `<text x="${x(at)}" y="${HEIGHT - 8}" text-anchor="middle">${shown(at)} s</text>`)
    .join('');
  const colours = new Map(
    [...new Set(present.map(({ name }) => name))].map((name, at) => [name, COLOURS[at % COLOURS.length]]),
  );
  const drawn = present
    .map(({ name, points, isEarlier }) => {
      const path = pathOf(points, x, y);
      const style = isEarlier ? ' stroke-dasharray="4 3" stroke-width="1" opacity="0.7"' : '';
      return `<path d="${path}" stroke="${colours.get(name)}"${style}><title>${escaped(name)}${isEarlier ? ', earlier' : ''}</title></path>`;
    })
    .join('');
  const marked = marks
    .map(
      ({ at, label }) =>
        `<line class="mark" x1="${x(at)}" x2="${x(at)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text class="mark" x="${x(at) + 4}" y="${TOP + 10}">${escaped(label)}</text>`,
    )
    .join('');
  const legend = [...colours]
    .map(([name, colour]) => `<span><i style="background:${colour}"></i>${escaped(name)}</span>`)
    .join('');
  return `<figure><figcaption>${escaped(title)} <small>${escaped(unit)}</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${grid}${times}${drawn}${marked}</svg>
<div class="legend">${legend}</div></figure>`;
}

function pathOf(points: Line['points'], x: (second: number) => number, y: (value: number) => number): string {
  let isOpen = false;
  let path = '';
  for (const [second, value] of points) {
    if (value === undefined) {
      isOpen = false;
      continue;
    }
    path += `${isOpen ? 'L' : 'M'}${x(second).toFixed(1)} ${y(value).toFixed(1)}`;
    isOpen = true;
  }
  return path;
}

/** 1, 2, 2.5 or 5 times a power of ten, at or above the value. */
function niceTop(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

const shown = (value: number) =>
  value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 });

export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
