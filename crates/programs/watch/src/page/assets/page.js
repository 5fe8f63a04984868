// Why this file exists: the page of alerts. It shows what was seen, the newest first, and what comes while it is open, by
// server-sent events. Texts of models, rules and cameras are put on it as text alone. asking.js, which is read after it, has
// the rules.
'use strict';

const PAGE_SIZE = 20;
const MOST_CARDS = 300; // on the page at once; older ones are asked for again
const AGAIN_MS = 5000; // a browser asks by itself again, but where the server has refused it
const NOTICE_MS = 6000;
const NEW_MS = 3000;
const CHANNEL = 'eyelid viewer'; // the viewer's windows share connections by it (viewer.js)
const TELL_EVERY_MS = 2000;
const NOTIFY_KEY = 'eyelid alerts notify';

const find = (selector) => document.querySelector(selector);
const root = new URL('alerts/', document.baseURI);
root.username = root.password = ''; // of the address that was opened: no request may have them
const feed = find('#alerts');
const filter = { camera: find('#camera'), rule: find('#rule') };

const alerts = new Map(); // those on the page, by id: what is known of each, and its card
const blindness = new Map(); // by camera: the newest alert that says whether it is blind
let rights = { change: false };
let titles = new Map(); // of cameras, by name
let next = null; // behind it there are older ones
let asked = 0; // how often the list was asked for: an answer to an older question is none

// ---- small things ----

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `#${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

let notice_timer;
function notify(text) {
  clearTimeout(notice_timer);
  find('#notice').textContent = text;
  notice_timer = setTimeout(() => { find('#notice').textContent = ''; }, NOTICE_MS);
}

// Asks the server. What it refuses is an error with its own words.
async function ask(path, method = 'GET', body = undefined) {
  const headers = method === 'POST' ? { 'Content-Type': 'application/json' } : {};
  const response = await fetch(new URL(path, root), {
    method, headers, cache: 'no-store', credentials: 'same-origin', body: method === 'POST' ? JSON.stringify(body ?? {}) : undefined,
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  let why = `${response.status} ${response.statusText}`;
  try { why = (await response.json()).error ?? why; } catch { /* it says no more */ }
  throw new Error(why);
}

const share = (number) => `${Math.round(number * 100)} %`;
const lasted = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
const titleOf = (camera) => titles.get(camera) ?? camera;

function moment(at) {
  const date = new Date(at);
  const is_today = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  return is_today ? time : `${date.toLocaleDateString([], { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })}, ${time}`;
}

// What happened, in one line.
function headline({ kind, camera, rule, held_back, boxes }) {
  const title = titleOf(camera);
  if (kind === 'blind') return `${title}: cannot see`;
  if (kind === 'sees-again') return `${title}: sees again`;
  if (kind === 'held-back') return `${title}: ${rule}, ${held_back} more`;
  const labels = [...new Set(boxes.map(({ label }) => label).filter((label) => label && label !== rule))];
  return `${title}: ${rule}${labels.length ? ` (${labels.slice(0, 4).join(', ')})` : ''}`;
}

// ---- one alert ----

const JUDGES = {
  motion: 'motion', left: 'left or taken', still: 'stillness', sees: 'detector', says: 'model', obico: 'Obico',
};
const CAUSES = {
  'no-frames': 'the camera gives no pictures',
  'endpoint-down': 'who is to be asked does not answer',
  'budget-spent': 'all questions of this day or hour are asked',
  'answers-invalid': 'the answers are none',
};

function drawBoxes(boxes) {
  return boxes.map(({ label, confidence, left, top, width, height }) => {
    const text = [label, confidence !== null && share(confidence)].filter(Boolean).join(' ');
    const box = element('span', { className: 'box' }, text ? element('span', {}, text) : null);
    Object.assign(box.style, { left: `${left * 100}%`, top: `${top * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` });
    return box;
  });
}

function picture(alert, tag, properties) {
  const made = element(tag, { ...properties, className: 'picture' });
  const image = element('img', { alt: '', loading: 'lazy', decoding: 'async' });
  image.addEventListener('error', () => { made.classList.add('is-gone'); });
  image.src = new URL(`${alert.id}.jpg`, root).href;
  made.append(image, ...drawBoxes(alert.boxes));
  return made;
}

function facts(alert) {
  const held_back = alert.kind !== 'held-back' && alert.held_back > 0;
  return [
    alert.judge && `judged by: ${JUDGES[alert.judge] ?? alert.judge}`,
    alert.confidence !== null && `sure: ${share(alert.confidence)}`,
    alert.took_ms !== null && `took ${lasted(alert.took_ms)}`,
    held_back && `${alert.held_back} held back before`,
  ].filter(Boolean);
}

function makeCard(alert) {
  const heading = element('h2', {}, alert.kind === 'blind' ? icon('shut') : null, element('span'));
  const told = facts(alert);
  const text = element('div', { className: 'text' },
    heading,
    element('time', { dateTime: alert.at, textContent: moment(alert.at) }),
    alert.asked ? element('p', { className: 'asked', textContent: alert.asked }) : null,
    CAUSES[alert.cause] ? element('p', { className: 'cause', textContent: `${alert.kind === 'blind' ? 'Because' : 'No longer so:'} ${CAUSES[alert.cause]}` }) : null,
    alert.reason ? element('p', { className: 'reason', textContent: alert.reason }) : null,
    told.length ? element('p', { className: 'facts' }, ...told.map((fact) => element('span', {}, fact))) : null,
    element('p', { className: 'over', hidden: true }));
  const card = element('article', { className: 'alert', tabIndex: -1 });
  card.dataset.id = alert.id;
  card.dataset.kind = alert.kind;
  if (alert.picture) {
    const shown = picture(alert, 'button', { type: 'button' });
    shown.addEventListener('click', () => enlarge(alert.id));
    card.append(shown);
  }
  card.append(text);
  if (alert.kind === 'seen') {
    const wrong = element('button', { type: 'button', className: 'button wrong' }, icon('wrong'), element('span', {}, 'Wrong'));
    wrong.addEventListener('click', () => judge(alert.id));
    text.append(element('div', { className: 'actions' }, wrong));
  }
  return card;
}

// What may change of a card: its title, when that of its camera is known, and whether the alert was wrong.
function renderCard({ alert, card }) {
  const title = headline(alert);
  if (card.getAttribute('aria-label') !== title) {
    card.setAttribute('aria-label', title);
    card.querySelector('h2 span').textContent = title;
    card.querySelector('.picture')?.setAttribute('aria-label', `Picture of ${title}, ${moment(alert.at)}: enlarge`);
  }
  const button = card.querySelector('.wrong');
  card.classList.toggle('is-wrong', alert.wrong);
  if (!button) return;
  button.hidden = !rights.change && !alert.wrong;
  button.disabled = !rights.change;
  button.setAttribute('aria-pressed', String(alert.wrong));
  button.setAttribute('aria-label', `Wrong: ${headline(alert)}`);
  button.title = alert.wrong ? 'Kept as a case. Press to take it back' : 'This was wrong: keep it as a case, to try rules on';
  button.querySelector('span').textContent = alert.wrong ? 'Wrong, kept as a case' : 'Wrong';
}

// How a user goes on with a case: what a model was asked is asked again, all else is looked at again.
function tool({ judge }, { directory, pictures }) {
  if (judge === 'says') return `eyelid-watch try asks about ${directory}/*.jpg again`;
  if (pictures < 2) return `one picture in ${directory}, and none from before it: eyelid-watch replay cannot judge that again`;
  return `eyelid-watch replay ${directory} judges its ${pictures} pictures again`;
}

async function judge(id) {
  const known = alerts.get(id);
  if (!known || !rights.change || known.asking) return;
  known.asking = true;
  try {
    const { wrong, case: kept } = await ask(`${id}/wrong`, known.alert.wrong ? 'DELETE' : 'POST');
    known.alert.wrong = wrong;
    notify(wrong ? `Kept as a case: ${tool(known.alert, kept)}` : 'No longer a case');
  } catch (error) {
    notify(`Not changed: ${error.message}`);
  }
  known.asking = false;
  renderCard(known);
}

function enlarge(id) {
  const { alert } = alerts.get(id) ?? {};
  if (!alert?.picture) return;
  const dialog = find('#large');
  dialog.querySelector('h2').textContent = `${headline(alert)}, ${moment(alert.at)}`;
  dialog.querySelector('.reason').textContent = alert.reason ?? '';
  dialog.querySelector('.reason').hidden = !alert.reason;
  dialog.querySelector('.picture').replaceWith(picture(alert, 'div', {}));
  dialog.querySelector('img').alt = `The picture that was judged: ${headline(alert)}`;
  dialog.showModal();
  dialog.querySelector('h2').focus();
}

// ---- all of them ----

const isWanted = ({ camera, rule }) => (!filter.camera.value || filter.camera.value === camera) && (!filter.rule.value || filter.rule.value === rule);

// Puts an alert into its place: alphabetical order is that of their moments.
function put(alert) {
  learnBlindness(alert);
  offer(filter.camera, alert.camera, titleOf(alert.camera));
  offer(filter.rule, alert.rule, alert.rule);
  const known = alerts.get(alert.id);
  if (known) {
    known.alert = alert;
    renderCard(known);
    return null;
  }
  if (!isWanted(alert)) return null;
  const card = makeCard(alert);
  const below = [...feed.children].find((other) => other.dataset.id < alert.id);
  feed.insertBefore(card, below ?? null);
  const made = { alert, card, asking: false };
  alerts.set(alert.id, made);
  renderCard(made);
  return card;
}

// An older one may be behind those that are shown: it is there when they are asked for.
const isBehind = (alert) => next !== null && feed.lastElementChild !== null && alert.id < feed.lastElementChild.dataset.id;

function forgetOldest() {
  while (feed.children.length > MOST_CARDS) {
    alerts.delete(feed.lastElementChild.dataset.id);
    feed.lastElementChild.remove();
    next = feed.lastElementChild.dataset.id;
  }
}

function render() {
  find('#none').hidden = alerts.size > 0;
  find('#none').textContent = filter.camera.value || filter.rule.value
    ? 'Nothing of this was seen yet.'
    : 'Nothing was seen yet. Leave this page open: what is seen comes by itself.';
  find('#older').hidden = next === null;
  renderBlindness();
}

function offer(select, value, text) {
  const known = [...select.options].find((option) => option.value === value);
  if (known) {
    if (known.text !== text) known.text = text;
    return;
  }
  const option = element('option', { value, textContent: text });
  const behind = [...select.options].slice(1).find((other) => other.text > text);
  select.add(option, behind ?? null);
}

// ---- what cannot be seen ----

function learnBlindness(alert) {
  if (alert.kind !== 'blind' && alert.kind !== 'sees-again') return;
  const newest = blindness.get(alert.camera);
  if (!newest || newest.id <= alert.id) blindness.set(alert.camera, alert);
}

function renderBlindness() {
  const blind = [...blindness.values()].filter(({ kind }) => kind === 'blind');
  const lines = blind.map((alert) => {
    const why = alert.reason ?? CAUSES[alert.cause] ?? '';
    return `${headline(alert)} since ${moment(alert.at)}${why ? `: ${why}` : ''}`;
  });
  const list = find('#blind');
  if (list.dataset.lines !== lines.join('\n')) {
    list.dataset.lines = lines.join('\n');
    list.replaceChildren(...lines.map((line) => element('li', {}, icon('shut'), element('span', {}, line))));
  }
  const ends = [...alerts.values()].filter(({ alert }) => alert.kind === 'sees-again').map(({ alert }) => alert);
  for (const { alert, card } of alerts.values()) {
    if (alert.kind !== 'blind') continue;
    const later = ends.filter((end) => end.camera === alert.camera && end.id > alert.id).map(({ id }) => id).sort();
    const newest = blindness.get(alert.camera);
    const is_over = later.length > 0 || newest?.kind === 'sees-again';
    card.classList.toggle('is-over', is_over);
    const over = card.querySelector('.over');
    over.hidden = !is_over;
    const end = ends.find(({ id }) => id === later[0]) ?? newest;
    over.textContent = is_over ? `Over since ${moment(end.at)}.` : '';
  }
}

// ---- asking for them ----

// What is chosen, as the page's own address and the list have it.
function filterQuery() {
  const chosen = Object.entries(filter).filter(([, select]) => select.value);
  return new URLSearchParams(chosen.map(([name, select]) => [name, select.value]));
}

function query(before) {
  const query = filterQuery();
  query.set('limit', PAGE_SIZE);
  if (before) query.set('before', before);
  return `list.json?${query}`;
}

// Asks for the newest, and keeps what is there; or for those behind.
async function load({ before = null, anew = false } = {}) {
  const mine = ++asked;
  try {
    const list = await ask(query(before));
    if (mine !== asked) return;
    rights = list.rights;
    const were_known = before || list.alerts.some(({ id }) => alerts.has(id));
    if (anew || !were_known) {
      alerts.clear();
      feed.replaceChildren();
    }
    if (before || anew || !were_known) next = list.next;
    list.alerts.forEach(put);
    alerts.forEach(renderCard);
    forgetOldest();
    render();
  } catch (error) {
    if (mine === asked) notify(`No alerts: ${error.message}`);
  }
  feed.setAttribute('aria-busy', 'false');
}

async function loadOlder() {
  const last = feed.lastElementChild;
  await load({ before: next });
  (last?.nextElementSibling ?? last)?.focus();
}

function applyFilter() {
  const query = filterQuery();
  history.replaceState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}`);
  load({ anew: true });
}

// ---- live ----

let source = null;
function follow() {
  source = new EventSource(new URL('events', root));
  source.addEventListener('open', () => { setLive(true); load(); });
  source.addEventListener('alert', ({ data }) => come(JSON.parse(data)));
  source.addEventListener('judged', ({ data }) => {
    const alert = JSON.parse(data);
    if (alerts.has(alert.id)) put(alert);
  });
  source.addEventListener('missed', () => load());
  source.addEventListener('rules', () => document.dispatchEvent(new Event('rules')));
  source.addEventListener('error', () => {
    setLive(false);
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    setTimeout(follow, AGAIN_MS);
  });
}

function setLive(is_live) {
  const live = find('#live');
  live.textContent = is_live ? 'live' : 'no connection; trying again';
  live.classList.toggle('is-live', is_live);
}

let unseen = 0;
function come(alert) {
  if (isBehind(alert)) {
    learnBlindness(alert);
  } else {
    const card = put(alert);
    card?.classList.add('is-new');
    setTimeout(() => card?.classList.remove('is-new'), NEW_MS);
    forgetOldest();
  }
  render();
  showNotification(alert);
  if (!document.hidden) return;
  unseen++;
  document.title = `(${unseen}) Alerts · Eyelid`;
}

// ---- notifications, while the page is open ----

const memory = {
  get() { try { return localStorage.getItem(NOTIFY_KEY) === 'on'; } catch { return false; } },
  set(on) { try { localStorage.setItem(NOTIFY_KEY, on ? 'on' : 'off'); } catch { /* for this page, then */ } },
};
let notifies = false;

function setNotifies(on) {
  notifies = on && window.Notification?.permission === 'granted';
  find('#notify').setAttribute('aria-pressed', String(notifies));
  find('#notify span').textContent = notifies ? 'Notifies me' : 'Notify me';
}

async function toggleNotifications() {
  if (!window.isSecureContext || !window.Notification) {
    notify('Browsers notify only for pages by HTTPS, or of this computer. See ntfy in docs/watch.md for phones.');
    return;
  }
  if (notifies) {
    memory.set(false);
    setNotifies(false);
    return;
  }
  const permission = Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
  memory.set(permission === 'granted');
  setNotifies(permission === 'granted');
  notify(permission === 'granted' ? 'You are notified while this page is open' : 'The browser does not let this page notify you; its settings do');
}

function showNotification(alert) {
  if (!notifies) return;
  try {
    // The same tag in another window of this page: it is shown once.
    const shown = new Notification(headline(alert), { body: alert.reason ?? alert.asked ?? '', tag: alert.id, icon: new URL('icon.svg', root).href });
    shown.addEventListener('click', () => { window.focus(); focusOn(alerts.get(alert.id)?.card); shown.close(); });
  } catch {
    setNotifies(false); // Android's browsers have it for service workers only
    notify('This browser does not notify for pages; see ntfy in docs/watch.md');
  }
}

// ---- what a person does ----

function focusOn(card) {
  card?.focus();
  card?.scrollIntoView({ block: 'nearest' });
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  if (event.target.closest?.('select, textarea, input')) return;
  const card = event.target.closest?.('.alert');
  if (event.key === 'j') focusOn(card ? card.nextElementSibling ?? card : feed.firstElementChild);
  else if (event.key === 'k') focusOn(card ? card.previousElementSibling ?? card : feed.firstElementChild);
  else if (event.key === 'Enter' && event.target === card) enlarge(card.dataset.id);
  else if (event.key === 'w' && card) judge(card.dataset.id);
  else if (event.key === 'r' && !find('#open-rules').hidden) find('#open-rules').click();
  else return;
  event.preventDefault();
}

// The viewer's windows keep a connection free for this page's.
function shareConnections() {
  if (!window.BroadcastChannel) return;
  const id = Math.random().toString(36).slice(2);
  const channel = new BroadcastChannel(CHANNEL);
  let told_ms = -Infinity;
  const tell = () => { told_ms = performance.now(); channel.postMessage({ id, showing: 1 }); };
  // Timers of hidden pages rest for up to a minute: it answers who says something, too.
  channel.onmessage = () => { if (performance.now() - told_ms > TELL_EVERY_MS / 2) tell(); };
  setInterval(tell, TELL_EVERY_MS);
  window.addEventListener('pagehide', () => channel.postMessage({ id, showing: 0 }));
  tell();
}

function start() {
  const wanted = new URLSearchParams(location.search);
  for (const [name, select] of Object.entries(filter)) {
    const value = wanted.get(name);
    if (value) offer(select, value, value);
    select.value = value ?? '';
    select.addEventListener('change', applyFilter);
  }
  find('.filter').hidden = find('#notify').hidden = find('#open-rules').hidden = false;
  find('#older').addEventListener('click', loadOlder);
  find('#notify').addEventListener('click', toggleNotifications);
  setNotifies(memory.get());
  for (const dialog of document.querySelectorAll('dialog')) {
    dialog.querySelector('.close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', ({ target }) => { if (target === dialog) dialog.close(); }); // beside it
  }
  document.addEventListener('keydown', onKey);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    unseen = 0;
    document.title = 'Alerts · Eyelid';
  });
  feed.setAttribute('aria-busy', 'true');
  shareConnections();
  load({ anew: true });
  follow();
}

start();
