// What came back from the library while an answer was written, in a list that opens under it: a line
// for each document, and one for the conversation's own past.

const MOST = 8; // passages a line names

/** Joins neighbouring tokens of one source; the most used passages first. */
function passages(tokens) {
  const joined = [];
  for (const token of tokens.toSorted((a, b) => a.begin - b.begin)) {
    const last = joined.at(-1);
    if (last && token.begin <= last.end) {
      last.end = Math.max(last.end, token.end);
      last.times += token.times;
    } else {
      joined.push({ ...token });
    }
  }
  return joined.sort((a, b) => b.times - a.times);
}

/** People count from 1, and name the last. */
function range({ begin, end }) {
  const first = (begin + 1).toLocaleString();
  return end > begin + 1 ? `${first}\u2013${end.toLocaleString()}` : first;
}

function line(source, unit, tokens) {
  const found = passages(tokens);
  const more = found.length > MOST ? ` and ${found.length - MOST} more` : '';
  const times = tokens.reduce((sum, token) => sum + token.times, 0);
  return `${source}, ${unit} ${found.slice(0, MOST).map(range).join(', ')}${more}: ${times.toLocaleString()}\u00d7`;
}

function lines(recalled) {
  const documents = new Map(), own = [];
  for (const { document, begin, end, position, times } of recalled) {
    if (document == null) own.push({ begin: position, end: position + 1, times });
    else documents.set(document, [...(documents.get(document) ?? []), { begin, end, times }]);
  }
  const all = [...documents].map(([name, tokens]) => line(name, 'characters', tokens));
  if (own.length) all.push(line('this conversation', 'tokens', own));
  return all;
}

/** Lists under an answer what the stream's last event had as {@code recalled}. */
export function show(li, recalled) {
  if (!recalled?.length) return;
  const list = document.createElement('ul');
  for (const text of lines(recalled)) {
    const item = document.createElement('li');
    item.textContent = text;
    list.append(item);
  }
  const summary = document.createElement('summary');
  summary.textContent = `Recalled ${recalled.length} stored token${recalled.length === 1 ? '' : 's'}`;
  const details = document.createElement('details');
  details.append(summary, list);
  li.append(details);
}
