// ---- the page ----

const main = document.querySelector('main');
const root = new URL('./' + main.dataset.root, document.baseURI);
const listed = document.getElementById('card') !== null; // the page lists many cameras, or those of other hosts
const heads = []; // the first camera of each host
const furnished = new Set(); // the cameras with a card: in a list those on the screen or close to it
const cameras = [...main.querySelectorAll('.camera')].map((card) => new Camera(card));
const wall = new URLSearchParams(location.search).has('wall'); // all of them, tightly; a tap opens one (`enlarged`)
let enlarged = null;
let programs = new Set(main.dataset.programs.split(' ')); // those behind the server (docs/http.md)
let known = null; // the names in the first /status, to notice a camera that appears later
let known_count = null; // how many there were, where not all are asked for

// The windows of one browser that are seen share its connections, so each tells the others how many cameras it shows.
// The browser's own locks need HTTPS, which few have. A hidden window takes no part, and leaves the channel, which would
// keep some browsers from going back to the page.
const windows = {
  id: Math.random().toString(36).slice(2),
  others: new Map(), // by id: the cameras they show, and when they last said so
  enter() {
    if (this.channel || !window.BroadcastChannel) return;
    this.showing = 0; // as far as the others know
    this.channel = new BroadcastChannel('eyelid viewer');
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.timer = setInterval(() => { this.forget(); this.tell(); }, TELL_EVERY_MS);
  },
  leave() {
    if (!this.channel) return;
    clearInterval(this.timer);
    this.channel.postMessage({ id: this.id, showing: 0 });
    this.channel.close();
    this.channel = null;
    this.others.clear();
  },
  tell() {
    this.channel?.postMessage({ id: this.id, showing: this.showing });
  },
  hear({ id, showing }) {
    const before = this.others.get(id);
    if (showing) this.others.set(id, { showing, heard: performance.now() });
    else this.others.delete(id);
    if (showing === (before?.showing ?? 0)) return;
    if (!before) this.tell(); // it has just come, and knows of nobody
    assign();
  },
  forget() {
    const gone = [...this.others].filter(([, { heard }]) => heard < performance.now() - FORGET_MS);
    gone.forEach(([id]) => this.others.delete(id));
    if (gone.length) assign();
  },
  // Gives how many streams this window may open while it shows so many cameras. All windows come to the same division:
  // in turn, ordered by id. Where there are too many cameras, each window fetches snapshots by a connection of its own.
  share(showing) {
    if (showing !== this.showing) {
      this.showing = showing;
      this.tell();
    }
    const all = [[this.id, showing], ...[...this.others].map(([id, other]) => [id, other.showing])].sort();
    const total = all.reduce((sum, [, cameras]) => sum + cameras, 0);
    if (total <= MOST_STREAMS) return showing;
    let left = Math.max(1, MOST_STREAMS - all.length);
    let mine = 0;
    for (let round = 1; left > 0; round++) {
      for (const [id] of all.filter(([, cameras]) => cameras >= round).slice(0, left)) {
        left--;
        if (id === this.id) mine++;
      }
    }
    return mine;
  },
};

// Says whether a camera is to be seen as video: one that is alone or enlarged. An encoder for each of many would cost the
// server more than their JPEGs.
const takesVideo = (camera) => programs.has('video') && (camera.choice ?? 'video') === 'video'
  && (camera === enlarged || (cameras.length === 1 && !wall));

// In a list, one that cannot be had is not looked at: the server says when it can be.
const unreachable = (camera) => listed && camera !== enlarged && Boolean(camera.status?.unreachable_since);

// Decides how each camera is read, and makes it so. None is that is not on the screen. The enlarged camera goes first; what
// is over gets snapshots. One that was opened on the wall hides the others.
function assign() {
  const hides = (camera) => wall && enlarged && camera !== enlarged;
  const shows = (camera) => !document.hidden && !camera.paused && !hides(camera) && camera.on_screen && !unreachable(camera);
  const present = inOrder(furnished);
  let streams = windows.share(present.filter(shows).length);
  const wanted = (camera) => {
    if (!shows(camera)) return 'off';
    if (streams-- <= 0) return 'snapshots';
    return takesVideo(camera) ? 'video' : 'stream'; // which may come to be a stream
  };
  // In a list, one that has failed waits behind the others: it would have a connection for nothing.
  const last = (camera) => (camera === enlarged ? 0 : listed && camera.status?.state === 'failed' ? 2 : 1);
  const order = [...present].sort((a, b) => last(a) - last(b));
  const modes = order.map((camera) => [camera, wanted(camera)]);
  // Close before opening, so that there are never six streams for a moment.
  const isStream = (mode) => mode === 'stream' || mode === 'video';
  modes.sort(([, a], [, b]) => isStream(a) - isStream(b)).forEach(([camera, mode]) => {
    camera.enter(mode, isStream(mode) ? camera.streamQuery() : '');
  });
  furnished.forEach(render);
}

// Cameras in the order of the page.
const inOrder = (some) => [...some].sort((a, b) => a.index - b.index);

// Runs as long as the page: the one loop that fetches snapshots, one after the other, for cameras without a stream.
async function pollSnapshots(signal) {
  while (!signal.aborted) {
    const began = performance.now();
    for (const camera of inOrder(furnished)) {
      if (signal.aborted) return;
      if (camera.mode === 'snapshots' && !(camera.poll_after > performance.now())) await camera.poll();
    }
    await sleep(Math.max(100, SNAPSHOT_EVERY_MS - (performance.now() - began)), signal);
  }
}

// Runs while the page is visible: asks for the status, one request at a time.
async function pollStatus(signal) {
  while (!signal.aborted) {
    const limit = deadline(STATUS_TIMEOUT_MS, signal);
    try {
      const sent_ms = Date.now();
      const asked = statusQuestion();
      const query = asked ? `?cameras=${asked.map(({ name }) => name).join()}` : '';
      const response = await fetch(new URL(`status${query}`, root), { cache: 'no-store', signal: limit.signal });
      const received_ms = Date.now();
      if (!response.ok) await refuse(response);
      const status = await response.json();
      clock.learn(sent_ms, received_ms, status.now_ms);
      learnStatus(status, asked ?? cameras);
    } catch {
      if (!signal.aborted) learnStatus(null, [...furnished]);
    } finally { limit.end(); }
    await sleep(STATUS_EVERY_MS, signal);
  }
}

// Which cameras the next /status is to tell of; null for all. In a list these are the ones on the screen or close to it, and
// the first of each host whose heading is seen: a few at a time, those first that were asked for the longest ago.
function statusQuestion() {
  if (main.dataset.root) return cameras;
  if (!listed) return null;
  const asked = new Set([...furnished, ...heads.filter(({ host }) => host.classList.contains('seen'))]);
  const turn = [...asked].sort((a, b) => (a.asked_ms ?? 0) - (b.asked_ms ?? 0)).slice(0, MOST_ASKED);
  turn.forEach((camera) => { camera.asked_ms = performance.now(); });
  return turn;
}

const offerAlerts = () => { document.getElementById('to-alerts').hidden = !programs.has('watch'); };

// A program was installed, or is no longer there.
function learnPrograms(names) {
  const had = programs.has('video');
  programs = new Set(names);
  offerAlerts();
  if (programs.has('video') === had) return;
  cameras.forEach(({ ladder }) => ladder.reset());
  assign();
}

// Takes in what the server says of these cameras, or that it says nothing.
function learnStatus(status, asked) {
  if (status?.programs) learnPrograms(status.programs);
  const [by_name, by_path] = [new Map(), new Map()];
  for (const told of status?.cameras ?? []) {
    by_name.set(told.name, told);
    by_path.set(new URL('./' + told.path, root).pathname, told);
  }
  let changed = false;
  for (const camera of asked) {
    const mine = by_path.get(camera.url.pathname) ?? by_name.get(camera.name);
    const way = () => [unreachable(camera), camera.status?.state === 'failed'].join();
    const before = way();
    camera.status = mine ?? (status && { state: 'failed', error: 'this camera is no longer on the server', gone: true });
    changed ||= listed && way() !== before;
    const watchers = status?.video?.sessions.filter((session) => session.camera === mine?.name) ?? [];
    camera.others = mine ? Math.max(0, mine.clients + watchers.length - (camera.asking ? 1 : 0) - (camera.session ? 1 : 0)) : null;
    camera.clients = status?.clients.filter((client) => client.camera === mine?.name && client.rendition) ?? [];
    camera.watchers = watchers;
    if (heads.includes(camera)) showHost(camera.host, mine);
    if (!furnished.has(camera)) continue;
    if (mine?.width && mine.height && !camera.shown) shape(camera, mine);
    if (mine) offerChoices(camera);
    render(camera);
  }
  if (changed) assign(); // what is looked at depends on it
  makeRoomForWatched();
  setText(document.getElementById('server'), status ? `Eyelid ${status.version}` : 'The server does not answer; trying again.');
  if (!status || main.dataset.root) return; // the page of one camera does not miss the others
  if (listed) {
    if (known_count !== null && status.camera_count > known_count) notify('There are more cameras. Reload the page to see them.');
    known_count = status.camera_count;
    return;
  }
  const fresh = status.cameras.find(({ name }) => known && !known.includes(name));
  if (fresh) notify(`A new camera: ${fresh.title ?? fresh.name}. Reload the page to see it.`);
  known = status.cameras.map(({ name }) => name);
}

