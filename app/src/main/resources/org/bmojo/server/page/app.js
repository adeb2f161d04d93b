// The conversation. The model remembers by itself: each turn sends only what is new, goes on from
// the session that the last one left, and leaves the next.

import * as memory from '/memory.js';
import * as recalled from '/recalled.js';

const byId = (id) => document.getElementById(id);
let session = null;
let running = null; // aborts the answer being read

function headers() {
  const key = byId('key').value.trim();
  return { 'Content-Type': 'application/json', ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function call(path, body, signal) {
  const response = await fetch(path, {
    method: body ? 'POST' : 'GET', headers: headers(), signal,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (response.ok) return response;
  const error = await response.json().then((j) => j.error.message, () => response.statusText);
  if (response.status === 401) byId('keybox').open = true;
  throw new Error(error);
}

function say(text) {
  byId('status').textContent = text;
}

function turn(kind, text) {
  const li = document.createElement('li');
  li.className = kind;
  li.textContent = text;
  byId('turns').append(li);
  li.scrollIntoView({ block: 'nearest' });
  return li;
}

/** The data of each event of a stream. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end);
      text = text.slice(end + 2);
      if (event.startsWith('data: ') && event !== 'data: [DONE]') yield JSON.parse(event.slice(6));
    }
  }
}

async function showMemory() {
  if (!session) return;
  const parts = ['memory', 'attention'].map(async (part) => (await call(`/v1/sessions/${session}/${part}`)).json());
  memory.show(...await Promise.all(parts));
}

function newSession() {
  return `page-${crypto.randomUUID()}`;
}

async function answer(text) {
  turn('user', text);
  const li = turn('assistant', '');
  const next = session ?? newSession();
  running = new AbortController();
  const begin = performance.now();
  let tokens = 0, first = 0;
  const body = {
    messages: [{ role: 'user', content: text }], stream: true, save_session: next,
    temperature: Number(byId('temperature').value), max_tokens: Number(byId('tokens').value),
    ...(session ? { session } : {}),
  };
  for await (const event of events(await call('/v1/chat/completions', body, running.signal))) {
    if (event.error) throw new Error(event.error.message);
    recalled.show(li, event.recalled); // The last event alone has it, after all text.
    const piece = event.choices[0]?.delta?.content ?? '';
    if (!piece) continue;
    if (!first) first = performance.now();
    tokens++;
    li.textContent += piece;
    say(`first token after ${(first - begin).toFixed(0)} ms, ${(1000 * tokens / Math.max(1, performance.now() - first)).toFixed(0)} pieces/s`);
  }
  session = next;
}

/** Does one thing at a time, and says what went wrong. */
async function busy(work) {
  if (running) return;
  running = new AbortController();
  byId('send').disabled = byId('read').disabled = true;
  byId('stop').disabled = false;
  try {
    await work();
    await showMemory();
  } catch (e) {
    if (e.name === 'AbortError') say('stopped; the model remembers nothing of this turn');
    else turn('error', e.message);
  } finally {
    running = null;
    byId('send').disabled = byId('read').disabled = false;
    byId('stop').disabled = true;
    byId('text').focus();
  }
}

byId('ask').addEventListener('submit', (e) => {
  e.preventDefault();
  const text = byId('text').value.trim();
  if (!text || running) return;
  byId('text').value = '';
  busy(() => answer(text));
});
byId('text').addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
    e.preventDefault();
    byId('ask').requestSubmit();
  }
});
document.addEventListener('keydown', (e) => { if (e.key === 'Escape') running?.abort(); });
byId('stop').addEventListener('click', () => running?.abort());
byId('read').addEventListener('click', () => busy(async () => {
  const input = byId('document').value;
  say('reading \u2026');
  const body = { input, ...(session ? { from: session } : {}) };
  session = (await (await call('/v1/sessions', body, running.signal)).json()).id;
  say(`${input.length.toLocaleString()} characters read`);
}));
byId('forget').addEventListener('click', () => {
  session = null;
  byId('turns').replaceChildren();
  memory.reset();
  say('');
});

async function start() {
  const models = await (await call('/v1/models')).json();
  byId('model').textContent = models.data[0].id;
}
byId('key').addEventListener('change', () => start().then(() => say(''), (e) => say(e.message)));
start().catch((e) => say(e.message));
