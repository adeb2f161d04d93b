// What the newest token attends to: a bar for each layer, divided among the memories, and the tokens
// that the chosen layer looks at most.

const MEMORIES = [
  ['window', 'window'], // the last tokens as they are
  ['fading', 'fading'], // what the state makes of those behind them
  ['eidetic', 'held'], // surprising ones, verbatim
  ['storage', 'stored'], // those that came back from a library
];

const byId = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(share < 0.095 ? 1 : 0)} %`;

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function reset() {
  byId('attention').hidden = true;
}

/** Line ends and blanks as something to see. */
function visible(text) {
  return text.replace('\n', '\u23ce').replace(' ', '\u2423') || '\u25a1';
}

/** A layer's bar, of spans as wide as their shares; the numbers beside it say the same. */
function bar(shares) {
  const parts = MEMORIES.map(([memory]) => {
    const part = element('span', memory);
    part.style.flexGrow = shares[memory];
    return part;
  });
  const all = element('div', 'bar', ...parts);
  all.setAttribute('aria-hidden', 'true');
  return all;
}

function row(layer, used) {
  const head = element('th', '', String(layer.layer));
  head.scope = 'row';
  const numbers = used.map(([memory]) => element('td', '', percent(layer.shares[memory])));
  return element('tr', '', head, ...numbers, element('td', 'wide', bar(layer.shares)));
}

function heads(used) {
  const names = ['layer', ...used.map(([, name]) => name), ''];
  return element('tr', '', ...names.map((name, i) => {
    const head = element('th', used[i - 1]?.[0] ?? '', name);
    head.scope = 'col';
    return head;
  }));
}

function token({ memory, position, weight }, text) {
  const item = element('li', memory, element('span', 'token', visible(text(position))), ` ${percent(weight)}`);
  item.title = `token ${position}, ${memory}`;
  return item;
}

/**
 * Draws what {@code GET /v1/sessions/ID/attention} said.
 *
 * @param text of the token at a position
 * @param chosen the layer whose tokens are listed
 */
export function show(view, text, chosen) {
  byId('attention').hidden = view.layers.length === 0;
  if (!view.layers.length) return;
  const used = MEMORIES.filter(([memory]) => view.layers.some((l) => l.shares[memory] > 0));
  byId('newest').textContent = visible(text(view.position));
  byId('shares').replaceChildren(
    element('thead', '', heads(used)),
    element('tbody', '', ...view.layers.map((layer) => row(layer, used))));
  const layer = view.layers.find((l) => l.layer === chosen) ?? view.layers.at(-1);
  byId('most').replaceChildren(...layer.most.map((t) => token(t, text)));
  byId('whose').textContent = `Layer ${layer.layer} looks most at`;
}
