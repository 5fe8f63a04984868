// ---- showing ----

// Writes only what changed: a live region speaks at each write, and an unchanged card costs nothing.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === '';
}

function shape(camera, { width, height }) {
  if (listed && camera !== enlarged) return; // tiles are all alike: none is to move others away
  const ratio = width / height;
  if (Math.abs(ratio / camera.ratio - 1) < SAME_SHAPE) return;
  camera.ratio = ratio;
  camera.card.style.setProperty('--ratio', String(ratio));
  layOut();
}

// What a card is higher than its picture (viewer.css says where its bar breaks into lines).
const barHeight = (width) => (wall ? 0 : (width < 416 ? 134 : 62) + watched_px);

// What eyelid-watch says of a camera is one line more.
let watched_px = 0;
function makeRoomForWatched() {
  const before = watched_px;
  watched_px = !listed && cameras.some(({ status }) => status?.watch) ? 26 : 0;
  if (watched_px !== before) layOut();
}

// Gives the height of pictures at which rows of so many cards fill the width, or the height if that is less.
function rowsOf(count, ratios, room) {
  const rows = [];
  for (let start = 0; start < ratios.length; start += count) rows.push(ratios.slice(start, start + count));
  const wide = Math.min(...rows.map((row) => (room.width - room.gap * (row.length - 1)) / row.reduce((sum, ratio) => sum + ratio, 0)));
  const least = Math.min(...ratios);
  let height = wide;
  for (let pass = 0; pass < 3; pass++) { // a lower picture has a narrower card, and that perhaps a higher bar
    const bar = room.low ? Math.min(92, barHeight(least * height)) : barHeight(least * height);
    height = Math.min(wide, (room.height - room.gap * (rows.length - 1)) / rows.length - bar);
  }
  return { wide, height, narrowest: least * height };
}

// Finds how many cards go beside each other so that the most is seen without scrolling; where that would make them too
// narrow, as many as fit are beside each other, and the page scrolls.
function layOut() {
  if (listed) return layOutList();
  const style = getComputedStyle(main);
  const rest = [...document.querySelectorAll('header, footer')].reduce((sum, { offsetHeight }) => sum + offsetHeight, 0);
  const low = window.matchMedia('(orientation: landscape) and (max-height: 30rem)').matches;
  const around = wall ? 0 : rest + (low ? 20 : 4);
  const room = { width: main.clientWidth, height: window.innerHeight - around, gap: parseFloat(style.columnGap) || 0, low };
  const least = Math.min(room.width, wall ? LEAST_TILE_PX : low ? LEAST_CARD_OF_LOW_WINDOW_PX : LEAST_CARD_PX);
  const ratios = cameras.filter((camera) => camera !== enlarged).map(({ ratio }) => ratio);
  const ways = ratios.map((_, index) => rowsOf(index + 1, ratios, room));
  const whole = ways.filter(({ narrowest }) => narrowest >= least).sort((a, b) => b.height - a.height)[0];
  const beside = Math.max(1, Math.min(ratios.length, Math.floor((room.width + room.gap) / (least + room.gap))));
  const height = whole?.height ?? ways[beside - 1]?.wide ?? 0;
  main.classList.toggle('stacked', !whole && beside === 1); // then each is as wide as the page
  main.style.setProperty('--height', `${Math.floor(height)}px`);
  if (enlarged) main.style.setProperty('--large-height', `${Math.floor(rowsOf(1, [enlarged.ratio], room).height)}px`);
}

// Of a list only the enlarged picture is fitted to the window; the others are in columns (viewer.css).
function layOutList() {
  if (!enlarged || wall) return;
  const height = Math.min(main.clientWidth / enlarged.ratio, window.innerHeight - barHeight(main.clientWidth));
  main.style.setProperty('--large-height', `${Math.floor(Math.max(height, 0))}px`);
}

// A moment as people write it: of another day with its date.
function momentText(moment) {
  const date = new Date(moment);
  const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

// What is known of a host by its first camera: that it cannot be reached is so of all.
function showHost(host, status) {
  const since = status?.unreachable_since;
  setText(host.querySelector('.host-state'), since ? `unreachable since ${momentText(since)}` : '');
}

function ageText(age_ms) {
  if (age_ms === null) return '–';
  if (age_ms < 1000) return `${Math.round(age_ms)} ms`;
  if (age_ms < 60000) return `${(age_ms / 1000).toFixed(age_ms < 10000 ? 1 : 0)} s`;
  return age_ms < 3600000 ? `${Math.floor(age_ms / 60000)} min` : `${Math.floor(age_ms / 3600000)} h`;
}

const bitsText = (bits) => (bits === null ? '–' : bits < 999500 ? `${Math.round(bits / 1000)} kbit/s` : `${(bits / 1e6).toFixed(bits < 9.95e6 ? 1 : 0)} Mbit/s`);
const shareText = (share) => (share === null ? '–' : `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`);

// What eyelid-watch says of a camera, in a few words: none, where it does not watch it (docs/watch.md).
const WHY_BLIND = {
  'no-frames': 'it gets no pictures', 'endpoint-down': 'who is to be asked does not answer',
  'budget-spent': 'all questions are asked', 'answers-invalid': 'the answers are none',
};
function watchOf(watch) {
  if (!watch) return { state: '', text: '' };
  if (watch.blind) return { state: 'blind', text: `Watching is blind: ${WHY_BLIND[watch.blind] ?? watch.blind}` };
  if (!watch.watching) return { state: 'off', text: 'Not watched now' };
  const standing = watch.rules.filter(({ state }) => state === 'standing').map(({ name }) => name);
  if (standing.length) return { state: 'standing', text: `Seen now: ${standing.join(', ')}` };
  return { state: 'quiet', text: `Watched, all quiet: ${watch.rules.map(({ name }) => name).join(', ')}` };
}

function render(camera) {
  if (!furnished.has(camera)) return;
  const { state, message = '', more = '', retry = '', note = '' } = camera.describe();
  const { card, shown } = camera;
  card.dataset.state = state;
  card.dataset.eye = ['asleep', 'failed', 'awake'].includes(state) ? state : camera.status?.state ?? 'unknown';
  card.classList.toggle('dim', message !== '');
  setText(camera.part('.state'), state);
  setText(camera.part('.message strong'), message);
  setText(camera.part('.message .more'), more);
  camera.part('.message .more').title = more; // on a small card it is cut
  setText(camera.part('.message .retry'), retry);
  camera.part('.message').hidden = message === '';
  setText(camera.part('.reason'), note);
  const spoken = `${camera.label}: ${state}${state === 'failed' ? `, ${camera.status.error}` : ''}`;
  if (camera.part('.said').textContent !== spoken) {
    camera.part('.said').textContent = spoken;
    camera.canvas.setAttribute('aria-label', `Picture of ${camera.label}, ${state}`);
  }
  camera.session?.element.setAttribute('aria-label', `Picture of ${camera.label}, ${state}`);
  const watched = watchOf(camera.status?.watch);
  setText(camera.part('.watched'), watched.text);
  camera.part('.watched').dataset.watch = watched.state;
  const video = takesVideo(camera);
  const way = camera.session?.way ?? 'mjpeg';
  setText(camera.part('.rendition'), !shown?.real || (video && !camera.arrived) ? '–' : camera.session ? WAY_NAMES[way] : video ? `MJPEG ${inEffect(shown)}` : inEffect(shown));
  camera.part('.rendition').title = video ? camera.ladder.above(way, performance.now()).join('\n') : '';
  camera.part('.stats').hidden = !programs.has('video');
  card.classList.toggle('video', video);
  const bitrate = camera.bitrate();
  setText(camera.part('.bitrate'), bitsText(bitrate));
  setText(camera.part('.loss'), shareText(camera.session?.loss() ?? null));
  if (camera.panel) showStatistics(camera, way, bitrate);
  const rate = camera.rate();
  setText(camera.part('.rate'), rate === null ? '–' : `${rate.toFixed(rate < 9.95 ? 1 : 0)} fps`);
  setText(camera.part('.age'), ageText(clock.age_ms(shown?.capture_ms ?? null)));
  camera.part('.age').title = `now minus capture, give or take ${Math.ceil(clock.doubt_ms)} ms`;
  setText(camera.part('.size'), shown?.real ? `${shown.width} × ${shown.height}` : '–');
  setText(camera.part('.looking'), lookers(camera, 'you', 'nobody'));
  if (shown) shape(camera, shown);
  if (addresses.open && addresses.camera === camera) showClients(camera);
}

// Says which picture is shown. A server says it where it was asked; what it gives unasked is the frame as configured.
const inEffect = ({ rendition }) => (!rendition || rendition === 'current' ? 'full' : rendition);

// Offers what the camera has. What was chosen stays, though the camera may have it no more.
function offerChoices(camera) {
  const { renditions = {} } = camera.status;
  const smaller = ['half', 'quarter', 'low'].filter((name) => name in renditions);
  const has = { video: programs.has('video'), smooth: smaller.length > 0, sharp: 'low' in renditions, current: true };
  const chosen = camera.choice ?? (has.video ? 'video' : has.smooth ? 'smooth' : 'current');
  const offered = CHOICES.filter(([value]) => has[value] || value === chosen || smaller.includes(value));
  const select = camera.part('.quality select');
  const values = offered.map(([value]) => value).join();
  if (select.dataset.values !== values) { // an open list would be closed
    select.dataset.values = values;
    select.replaceChildren(...offered.map(([value, word, why]) => element('option', { value }, why ? `${word}: ${why}` : word)));
  }
  select.value = chosen;
  camera.part('.quality').hidden = offered.length < 2;
  setText(camera.part('.quality span'), offered.find(([value]) => value === chosen)[1]);
}

// ---- statistics ----

// Shows over the picture what is known of how it comes, or puts that away.
function toggleStatistics(camera) {
  if (camera.panel) camera.panel.remove();
  else camera.part('.picture').append(element('div', { className: 'statistics', role: 'group', tabIndex: 0 }, element('dl')));
  camera.panel = camera.part('.statistics');
  camera.panel?.setAttribute('aria-label', `Statistics of ${camera.label}`);
  camera.part('.stats').setAttribute('aria-expanded', String(camera.panel !== null));
  render(camera);
}

function showStatistics(camera, way, bitrate) {
  const { shown, session } = camera;
  const [rate, age_ms] = [camera.rate(), clock.age_ms(shown?.capture_ms ?? null)];
  const better = takesVideo(camera) ? camera.ladder.above(way, performance.now()) : [];
  const facts = [
    ['way', camera.mode === 'snapshots' ? 'snapshots' : WAY_NAMES[way], better.map((why) => ` (${why})`).join('')],
    ['size', shown ? `${shown.width} × ${shown.height}` : '–'],
    ['rate', rate === null ? '–' : `${rate.toFixed(1)} fps`],
    ['bitrate', bitsText(bitrate)],
    ['age', ageText(age_ms), age_ms !== null && ` ± ${Math.ceil(clock.doubt_ms)} ms`],
    ...(session?.facts ?? []),
  ];
  const rows = facts.map(([name, value, more]) => [name, `${value || '–'}${more || ''}`]);
  const names = rows.map(([name]) => name).join();
  if (camera.panel.dataset.names !== names) {
    camera.panel.dataset.names = names;
    camera.panel.firstChild.replaceChildren(...rows.map(([name]) => element('div', {}, element('dt', {}, name), element('dd', {}))));
  }
  camera.panel.querySelectorAll('dd').forEach((value, index) => setText(value, rows[index][1]));
}

// Says who looks at a camera, this page included.
function lookers(camera, me, nobody) {
  if (camera.others === null) return '–';
  const others = camera.others || '';
  if (camera.mode === 'off') return String(others || nobody);
  return others ? `${me} + ${others}` : me;
}

let notice_timer;
function notify(text) {
  setText(document.getElementById('notice'), text);
  clearTimeout(notice_timer);
  notice_timer = setTimeout(() => setText(document.getElementById('notice'), ''), 6000);
}

