// What a session remembers, drawn: the text, and on it the tokens that eidetic memory holds.

import * as attention from '/attention.js';

const byId = (id) => document.getElementById(id);
const evicted = new Map(); // layer → positions held before and not any more
const before = new Map(); // layer → positions held when last drawn

/** Begins with a memory that nothing is known of. */
export function reset() {
  evicted.clear();
  before.clear();
  byId('remembered').replaceChildren();
  byId('sizes').replaceChildren();
  byId('layer').replaceChildren();
  attention.reset();
}

function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  while (n >= 1000 && unit < 3) { n /= 1000; unit++; }
  return `${n.toFixed(unit ? 1 : 0)} ${units[unit]}`;
}

function size(name, text) {
  const dt = document.createElement('dt');
  dt.textContent = name;
  const dd = document.createElement('dd');
  dd.textContent = text;
  byId('sizes').append(dt, dd);
}

/** Tells a layer's evicted tokens by comparing with what it held before. */
function compare(layer) {
  const now = new Set(layer.positions);
  const gone = evicted.get(layer.layer) ?? new Set();
  for (const p of before.get(layer.layer) ?? []) if (!now.has(p)) gone.add(p);
  for (const p of now) gone.delete(p);
  evicted.set(layer.layer, gone);
  before.set(layer.layer, now);
}

/** Draws what {@code GET /v1/sessions/ID/memory} and {@code …/attention} said. */
export function show(view, attended) {
  byId('sizes').replaceChildren();
  size('Tokens read', view.tokens.toLocaleString());
  size('State', bytes(view.state_bytes));
  size('A Transformer\u2019s cache', bytes(view.transformer_bytes));
  view.layers.forEach(compare);
  const select = byId('layer');
  const chosen = select.value;
  select.replaceChildren(...view.layers.map((l) => new Option(`${l.layer} (${l.positions.length} of ${l.capacity})`, l.layer)));
  if ([...select.options].some((o) => o.value === chosen)) select.value = chosen;
  const redraw = () => {
    draw(view);
    attention.show(attended, (position) => view.texts[position - view.first] ?? '', Number(select.value));
  };
  select.onchange = redraw;
  redraw();
}

function draw(view) {
  const layer = view.layers.find((l) => String(l.layer) === byId('layer').value);
  const scores = new Map();
  layer?.positions.forEach((p, i) => scores.set(p, layer.scores[i]));
  const values = [...scores.values()].filter(Number.isFinite);
  const low = Math.min(...values), high = Math.max(...values);
  const gone = evicted.get(layer?.layer) ?? new Set();
  const parts = [];
  let plain = '';
  view.texts.forEach((text, i) => {
    const position = view.first + i;
    const score = scores.get(position);
    const newest = i >= view.texts.length - 1;
    if (score === undefined && !gone.has(position) && !newest) {
      plain += text;
      return;
    }
    if (plain) parts.push(plain);
    plain = '';
    const mark = document.createElement('mark');
    mark.textContent = text === '\n' ? '\u23ce\n' : text;
    mark.className = score !== undefined ? 'held' : gone.has(position) ? 'evicted' : 'window';
    if (score !== undefined) {
      mark.dataset.heat = high > low ? Math.round((9 * (score - low)) / (high - low)) : 5;
      mark.title = `token ${position}, score ${score.toFixed(3)}`;
    }
    parts.push(mark);
  });
  if (plain) parts.push(plain);
  byId('remembered').replaceChildren(...parts);
}
