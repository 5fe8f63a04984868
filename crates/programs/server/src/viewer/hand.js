// ---- what a person does ----

function setButton(button, icon, label, name) {
  button.querySelector('use').setAttribute('href', `#${icon}`);
  setText(button.querySelector('span'), label);
  button.setAttribute('aria-label', name ? `${label} ${name}` : label);
  button.title = label;
}

// Has the buttons of a card say what they do now.
function nameButtons(camera) {
  const { paused, label } = camera;
  setButton(camera.part('.pause'), paused ? 'resume' : 'pause', paused ? 'Resume' : 'Pause', label);
  const [back, forth] = wall ? ['Back to wall', 'Open'] : listed ? ['Back to list', 'Enlarge'] : ['Back to grid', 'Enlarge'];
  const large = camera === enlarged;
  setButton(camera.part('.large'), large ? 'grid' : 'large', large ? back : forth, label);
  const full = isFilled(camera);
  setButton(camera.part('.full'), full ? 'unfull' : 'full', full ? 'Leave full screen' : 'Full screen', label);
}

function pause(list, paused) {
  for (const camera of list) {
    camera.paused = paused;
    if (furnished.has(camera)) nameButtons(camera);
  }
  const all = cameras.every((camera) => camera.paused);
  setButton(document.getElementById('pause-all'), all ? 'resume' : 'pause', all ? 'Resume all' : 'Pause all');
  assign();
}

function choose(camera, choice) {
  camera.choice = choice;
  memory.keep(camera);
  offerChoices(camera);
  assign();
}

// Saves a fresh picture rather than opening it: another tab would hide this one and close its streams.
async function saveSnapshot(camera) {
  if (camera.saving) return;
  camera.saving = true;
  camera.part('.snapshot').setAttribute('aria-busy', 'true');
  try {
    const { jpeg, capture_ms } = await fetchSnapshot(camera);
    const moment = new Date(capture_ms ?? Date.now()).toISOString().slice(0, 19).replaceAll(':', '-');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(jpeg);
    link.download = `${camera.label.replace(/[^\p{L}\p{N}_-]+/gu, '-')}-${moment}Z.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000); // the browser may read it only after asking where to
    notify(`Snapshot saved: ${link.download}`);
  } catch (error) {
    notify(`No snapshot of ${camera.label}: ${explain(error)}`);
  }
  camera.saving = false;
  camera.part('.snapshot')?.removeAttribute('aria-busy');
}

function enlarge(camera) {
  if (listed && enlarged && enlarged !== camera) {
    enlarged.card.style.removeProperty('--ratio');
    enlarged.ratio = 16 / 9;
  }
  const before = enlarged;
  enlarged = camera;
  main.classList.toggle('covered', wall && camera !== null);
  for (const each of furnished) {
    each.card.classList.toggle('enlarged', each === camera);
    nameButtons(each);
  }
  if (listed && camera?.shown) shape(camera, camera.shown);
  layOut();
  (camera ?? (listed ? before : null))?.card.scrollIntoView({ block: 'nearest' }); // what it was amidst has moved
  assign();
}

// The wall as a whole fills the screen, with what is open on it.
function fillScreen() {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

// Fills the window with a card, and the screen too where the browser can (an iPhone cannot). Null: with none.
function fill(camera) {
  if (!camera && document.fullscreenElement) document.exitFullscreen().catch(() => {});
  for (const each of furnished) {
    each.card.classList.toggle('fill', each === camera);
    nameButtons(each);
  }
  camera?.card.requestFullscreen?.().catch(() => {});
}

// ---- addresses ----

// What programs ask for, in their own words (docs/octoprint.md, mainsail-fluidd.md, home-assistant.md).
const ADDRESSES = [
  ['Any program', '', [['Stream', 'stream'], ['Snapshot', 'snapshot']]],
  ['OctoPrint, Mainsail, Fluidd', 'as mjpg-streamer', [['Stream URL', '?action=stream'], ['Snapshot URL', '?action=snapshot']]],
  ['Home Assistant', 'MJPEG IP Camera', [['MJPEG URL', 'stream?advance_headers=1'], ['Still image URL', 'snapshot']]],
];

// The same for H.264, by WebRTC; OctoPrint has a scheme of its own for it.
const VIDEO_ADDRESSES = [
  ['H.264', 'WebRTC', [['Players (WHEP)', 'whep'], ['Mainsail, Fluidd', 'webrtc'], ['OctoPrint', 'webrtc', (url) => url.replace(/^http/, 'webrtc')]]],
];

const addresses = document.getElementById('addresses');

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function showAddresses(camera) {
  const lists = [...ADDRESSES, ...(programs.has('video') ? VIDEO_ADDRESSES : [])].flatMap(([program, how, rows]) => [
    element('h3', {}, program, element('small', {}, how)),
    ...rows.map(([what, path, written = String]) => addressRow(program, what, written(new URL(path, camera.url).href))),
  ]);
  addresses.querySelector('h2').textContent = `Addresses of ${camera.label}`;
  addresses.querySelector('.lists').replaceChildren(...lists);
  addresses.querySelector('.here').hidden = !/^(localhost|127\..*|\[::1\]|.*\.localhost)$/.test(camera.url.hostname);
  addresses.camera = camera;
  showClients(camera);
  addresses.showModal();
  addresses.querySelector('h2').focus();
}

function addressRow(program, what, url) {
  const field = element('input', { readOnly: true, value: url });
  field.addEventListener('focus', () => field.select());
  const button = element('button', { type: 'button', className: 'button copy', textContent: 'Copy' });
  button.setAttribute('aria-label', `Copy ${what}, ${program}`);
  button.addEventListener('click', () => copy(field, button));
  return element('div', { className: 'address' }, element('label', {}, element('span', {}, what), field), button);
}

// Browsers have a clipboard for pages by HTTPS or from this computer; for the others there is the old way.
async function copy(field, button) {
  let done = false;
  try {
    await navigator.clipboard.writeText(field.value);
    done = true;
  } catch {
    field.select();
    done = document.execCommand('copy');
    button.focus();
  }
  button.textContent = done ? 'Copied' : 'Press Ctrl-C';
  if (!done) field.select();
  addresses.querySelector('.said').textContent = done ? `Copied: ${field.value}` : 'Not copied; the address is selected';
  setTimeout(() => { button.textContent = 'Copy'; }, 2500);
}

function showClients(camera) {
  setText(addresses.querySelector('.count'), camera.others === null ? '' : `${lookers(camera, 'This page', 'Nobody')}${camera.clients.length + camera.watchers.length ? ', from:' : '.'}`);
  const line = (address, how, since_s) => {
    const since = since_s < 90 ? `${Math.round(since_s)} s` : `${Math.round(since_s / 60)} min`;
    return `${address.replace(/:\d+$/, '')} · ${how} · ${since}`;
  };
  const streams = camera.clients.map(({ address, fps, connected_s }) => line(address, `${fps.toFixed(1)} fps`, connected_s));
  const watchers = camera.watchers.map(({ peer, way, since }) => line(peer, WAY_NAMES[way] ?? way, (clock.server_ms() - Date.parse(since)) / 1000));
  const lines = [...streams, ...watchers].slice(0, 20);
  const list = addresses.querySelector('.clients');
  if (list.innerText !== lines.join('\n')) list.replaceChildren(...lines.map((line) => element('li', {}, line)));
}

const isFilled = (camera) => camera.card.classList.contains('fill');
const toggleFull = (camera) => (wall ? fillScreen() : fill(isFilled(camera) ? null : camera));

// The camera a key means: the one with the focus, the large one, the one under the pointer, the only one.
const meant = () => cameras.find(({ card }) => card.contains(document.activeElement)) ?? enlarged
  ?? cameras.find(({ card }) => card.matches(':hover')) ?? (cameras.length === 1 ? cameras[0] : undefined);

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.defaultPrevented || addresses.open) return;
  if (event.key !== 'Escape' && event.target.closest?.('select, input')) return; // it finds its options by their letters
  const camera = meant();
  if (event.key === 'Escape' && cameras.some(isFilled)) fill(null);
  else if (event.key === 'Escape' && event.target.id === 'filter') filterBy('');
  else if (event.key === 'Escape' && enlarged) enlarge(null);
  else if (event.key === '/' && listed && !wall) filter.focus();
  else if (event.key === ' ') {
    if (event.target.closest?.('button, a, summary')) return; // the control itself answers to the space bar
    const list = camera ? [camera] : cameras;
    pause(list, !list.every(({ paused }) => paused));
  } else if (event.key === 's' && camera) saveSnapshot(camera);
  else if (event.key === 'i' && camera && programs.has('video')) toggleStatistics(camera);
  else if (event.key === 'a' && camera) showAddresses(camera);
  else if (event.key === 'f' && (camera || wall)) toggleFull(camera);
  else return;
  event.preventDefault();
}

function listen(camera) {
  const many = cameras.length > 1 || wall; // one alone on the wall has a large picture, too
  camera.canvas.hidden = camera.part('.facts').hidden = camera.part('.pause').hidden = camera.part('.full').hidden = camera.part('.link').hidden = false;
  camera.part('.large').hidden = !many;
  camera.part('.pause').addEventListener('click', () => pause([camera], !camera.paused));
  camera.part('.large').addEventListener('click', () => enlarge(enlarged === camera ? null : camera));
  camera.part('.full').addEventListener('click', () => toggleFull(camera));
  camera.part('.quality').title = 'Quality';
  camera.part('.quality select').addEventListener('change', ({ target }) => choose(camera, target.value));
  camera.part('.stats').title = 'Statistics';
  camera.part('.stats').addEventListener('click', () => toggleStatistics(camera));
  camera.part('.link').title = 'Addresses';
  camera.part('.link').addEventListener('click', () => showAddresses(camera));
  camera.part('.snapshot').title = 'Snapshot';
  camera.part('.snapshot').addEventListener('click', (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // asked for a tab or window of its own
    event.preventDefault();
    saveSnapshot(camera);
  });
  // For the mouse and the finger only; the buttons do the same for keys and screen readers.
  camera.part('.picture').addEventListener('click', ({ target }) => {
    if (camera.panel?.contains(target)) return; // its words are there to be copied
    if (camera.paused) pause([camera], false);
    else if (many) enlarge(enlarged === camera ? null : camera);
  });
}

// The page of one camera that has a video is a player: the picture fills the window, and what lies over it goes while
// nobody moves.
function becomePlayer() {
  const { classList } = document.documentElement;
  classList.add('player');
  let timer;
  const rest = () => classList.toggle('idle', cameras[0].card.dataset.state === 'awake' && !addresses.open);
  const wake = () => {
    classList.remove('idle');
    clearTimeout(timer);
    timer = setTimeout(rest, IDLE_MS);
  };
  ['pointermove', 'pointerdown', 'keydown', 'focusin'].forEach((event) => document.addEventListener(event, wake));
  setInterval(() => { if (cameras[0].card.dataset.state !== 'awake') wake(); }, 1000);
  wake();
}

