// Why this file exists: an <img> of a stream cannot tell how old its picture is, cannot say why it stopped, never
// reconnects, and in some browsers never lets go. This script reads each camera's stream itself, draws the newest frame,
// shows state, rate and age, and closes the stream as soon as nobody looks, so that the camera can fall asleep.
// It assumes the markup of index.html and camera.html, and no particular address: every URL is relative to the page.
// Without this script the page still shows moving pictures (<noscript>). It goes from the wire (PartReader) to the hand
// (what a person does). Better ways to a picture than the stream of JPEGs are in video.js, which is read before.
'use strict';

// Browsers open six HTTP/1.1 connections per host; the sixth is for /status and saved snapshots. Over HTTP/2 and 3, which a
// proxy may speak, one connection has all streams: at least 100 (RFC 9113, section 5.1.2).
const MOST_STREAMS = /^h[23]/.test(performance.getEntriesByType('navigation')[0]?.nextHopProtocol) ? 64 : 5;
const STATUS_EVERY_MS = 2000;
const MOST_ASKED = 100; // names in one question, of 65 bytes at most: a request's header has 16 KiB (docs/http.md)
const ON_SCREEN_MS = 200; // what a hand scrolls past is not looked at
const STATUS_TIMEOUT_MS = 8000;
const SNAPSHOT_EVERY_MS = 1000;
const SILENCE_MS = 15000; // no byte for so long means a dead connection; a camera that wakes needs less
const TELL_EVERY_MS = 2000;
const FORGET_MS = 10000; // a window that crashed says no farewell
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 5000;
const IDLE_MS = 3000; // then the player shows the picture alone
const LEAST_CARD_PX = 352; // a card that is narrower is worse than one that must be scrolled to
const LEAST_CARD_OF_LOW_WINDOW_PX = 208; // a phone on its side
const RATE_OVER_MS = 4000;
const LEAST_TILE_PX = 96; // on the wall; its name is still read
const SAME_SHAPE = 0.01; // half of an odd number is rounded: a smaller rendition is not of quite the same shape
const MOST_HEADER_BYTES = 16384; // a part's header is about 150 bytes; more is not our stream
const MOST_JPEG_BYTES = 64 << 20;

// What a person can choose for a camera: its value, in a word, why one would, and how the server is asked for it (docs/http.md).
// `video` is the best of the ways there are, and the stream of JPEGs where there is no other.
const CHOICES = [
  ['video', 'Video', 'H.264, the newest in the fewest bytes; of one camera at a time', 'adapt=smooth'],
  ['smooth', 'Smooth', 'as large as the link carries in motion', 'adapt=smooth'],
  ['sharp', 'Sharp', 'never smaller, rather fewer pictures', 'adapt=sharp'],
  ['current', 'Full picture', '', 'size=current'],
  ['half', 'Half', '', 'size=half'],
  ['quarter', 'Quarter', '', 'size=quarter'],
  ['low', 'Low', 'full size, fewer bytes', 'size=low'],
];

// ---- reading a stream ----

// Cuts a multipart/x-mixed-replace body into parts, however the network split it. The boundary is never searched for:
// Content-Length says where a JPEG ends, and the boundary line counts as the first line of the next part's header.
class PartReader {
  constructor(onPart) {
    this.onPart = onPart;
    this.head = new Uint8Array(0);
    this.body = null; // the JPEG being filled, or null while in a header
  }

  push(chunk) {
    while (chunk.length) chunk = this.body ? this.fillBody(chunk) : this.findBody(chunk);
  }

  findBody(chunk) {
    const bytes = new Uint8Array(this.head.length + chunk.length);
    bytes.set(this.head);
    bytes.set(chunk, this.head.length);
    const text = new TextDecoder('latin1').decode(bytes.subarray(0, MOST_HEADER_BYTES)); // one character per byte
    const start = text.search(/[^\r\n]/); // the line end after a JPEG is no empty header
    const end = start < 0 ? -1 : text.indexOf('\r\n\r\n', start);
    if (end < 0) {
      if (bytes.length > MOST_HEADER_BYTES) throw new Error('the answer is not a stream of frames');
      this.head = bytes;
      return new Uint8Array(0);
    }
    const lines = text.slice(start, end).matchAll(/^([^:\r\n]+):[ \t]*(.*)$/gm);
    this.headers = new Map([...lines].map(([, name, value]) => [name.toLowerCase(), value.trim()]));
    const length = Number(this.headers.get('content-length'));
    if (!(length > 0 && length <= MOST_JPEG_BYTES)) throw new Error('the stream has a part without a valid length');
    this.head = new Uint8Array(0);
    this.body = new Uint8Array(length);
    this.filled = 0;
    return bytes.subarray(end + 4);
  }

  fillBody(chunk) {
    const piece = chunk.subarray(0, this.body.length - this.filled);
    this.body.set(piece, this.filled);
    this.filled += piece.length;
    if (this.filled === this.body.length) {
      this.onPart(this.headers, this.body);
      this.body = null;
    }
    return chunk.subarray(piece.length);
  }
}

// ---- clocks and waiting ----

// The server's clock against ours. Each /status answer bounds the difference to half its round trip, so the shortest
// round trip is kept, until an answer contradicts it: then one of the clocks was moved.
const clock = {
  offset_ms: null,
  doubt_ms: Infinity,
  learn(sent_ms, received_ms, server_ms) {
    const offset_ms = server_ms - (sent_ms + received_ms) / 2;
    const doubt_ms = (received_ms - sent_ms) / 2 + 1; // both clocks are read in whole milliseconds
    const moved = Math.abs(offset_ms - this.offset_ms) > doubt_ms + this.doubt_ms;
    if (doubt_ms < this.doubt_ms || moved) Object.assign(this, { offset_ms, doubt_ms });
  },
  server_ms() { return this.offset_ms === null ? null : Date.now() + this.offset_ms; },
  age_ms(capture_ms) {
    if (this.offset_ms === null || capture_ms === null) return null;
    return Math.max(0, this.server_ms() - capture_ms);
  },
};

// Waits, and returns early (without an error) when `signal` says that nobody wants the result any more.
const sleep = (ms, signal) => new Promise((done) => {
  if (signal.aborted) return done();
  const timer = setTimeout(done, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); done(); }, { once: true });
});

// A signal that follows `signal` and can also time out; `touch` starts the time anew.
function deadline(ms, signal) {
  const control = new AbortController();
  const stop = () => control.abort();
  let timer = setTimeout(stop, ms);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop);
  return {
    signal: control.signal,
    touch() { clearTimeout(timer); timer = setTimeout(stop, ms); },
    end() { clearTimeout(timer); signal?.removeEventListener('abort', stop); stop(); },
  };
}

// Throws the server's own words for an answer that is not 200.
async function refuse(response) {
  let words = `the server answered ${response.status}`;
  try { words = (await response.json()).error || words; } catch { /* a proxy's error page: its number must do */ }
  throw new Error(words);
}

// What to tell a person: fetch's own words ("Failed to fetch") differ per browser and help nobody.
const explain = (error) => (error instanceof TypeError || error.name === 'AbortError' || error.name === 'NetworkError'
  ? 'The server does not answer' : error.message.replace(/^./, (first) => first.toUpperCase()));

const captureOf = (timestamp) => (Number(timestamp) > 0 ? Number(timestamp) * 1000 : null);

// Reads an answer to its end. One that trickles is slow, not dead: the time begins anew with each piece.
async function read(response, limit, onPiece) {
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (limit.signal.aborted) throw new DOMException('nobody wants the rest', 'AbortError');
    if (done) return;
    limit.touch();
    onPiece(value);
  }
}

async function fetchSnapshot(camera, query = '', signal = undefined) {
  const limit = deadline(SILENCE_MS, signal);
  try {
    const response = await fetch(new URL('snapshot' + query, camera.url), { cache: 'no-store', signal: limit.signal });
    if (!response.ok) await refuse(response);
    const pieces = [];
    await read(response, limit, (piece) => pieces.push(piece));
    const jpeg = new Blob(pieces, { type: 'image/jpeg' });
    const [timestamp, rendition] = ['X-Timestamp', 'X-Rendition'].map((name) => response.headers.get(name));
    return { jpeg, capture_ms: captureOf(timestamp), rendition, real: true };
  } finally { limit.end(); }
}

// ---- what a person chose ----

// A browser may refuse to remember, by an error; then a choice lasts as long as the page.
const memory = {
  key: (camera) => `eyelid picture ${camera.url.pathname}`,
  recall(camera) {
    try {
      const value = localStorage.getItem(this.key(camera));
      return CHOICES.some(([choice]) => choice === value) ? value : null;
    } catch { return null; }
  },
  keep(camera) {
    try { localStorage.setItem(this.key(camera), camera.choice); } catch { /* not to be helped */ }
  },
};

// ---- one camera ----

class Camera {
  constructor(card) {
    this.card = card;
    const link = this.part('h2 a'); // all that a list says of it
    this.name = link ? link.getAttribute('href').slice(0, -1) : card.dataset.name;
    this.label = this.part('h2').textContent;
    this.url = new URL('./' + (link ? `${this.name}/` : card.dataset.path), document.baseURI);
    this.canvas = this.part('canvas');
    this.host = card.closest('.host');
    this.on_screen = false; // for long enough to be looked at
    this.paused = false;
    this.choice = memory.recall(this); // of CHOICES; null where nobody chose
    this.mode = 'off'; // 'off', 'video', 'stream' or 'snapshots'; only `assign` changes it
    this.query = ''; // which picture the stream is asked for; likewise
    this.ladder = new Ladder(); // the ways to its video
    this.session = null; // the one whose picture is seen; null for the canvas
    this.panel = null; // with statistics, while they are shown
    this.bytes = 0; // of JPEGs
    this.traffic = []; // how many there were of late
    this.control = new AbortController();
    this.status = null; // what /status last said of this camera
    this.asking = false; // the server counts this page among those who look at it
    this.others = null; // how many else looked then
    this.clients = []; // those with a stream of JPEGs
    this.watchers = []; // those with a video
    this.ratio = 16 / 9;
    this.problem = null; // why there is no picture at the moment, for a person
    this.retry_ms = RETRY_FIRST_MS;
    this.shown = null; // the frame on the canvas
    this.arrived = false; // since this mode began
    this.drawn_at = []; // the moments of the last draws
  }

  part(selector) { return this.card.querySelector(selector); }

  // Makes a card of what a list says, as a page of few cameras has them from the beginning.
  furnish() {
    const made = document.getElementById('card').content.firstElementChild.cloneNode(true);
    const { label } = this;
    const whole = this.host ? `${label}, ${this.host.dataset.host}` : label;
    made.querySelector('h2').textContent = label;
    for (const action of ['snapshot', 'stream']) made.querySelector(`.${action}`).href = new URL(action, this.url).href;
    made.querySelector('.watched').href = new URL(`alerts?camera=${this.name}`, root).href;
    made.querySelectorAll('[aria-label]').forEach((part) => part.setAttribute('aria-label', `${part.getAttribute('aria-label')}${whole}`));
    this.card.replaceChildren(...made.childNodes);
    this.card.setAttribute('aria-label', whole);
    this.card.dataset.name = this.name;
    this.label = whole;
    this.canvas = this.part('canvas');
    furnished.add(this);
    listen(this);
    nameButtons(this);
    if (this.status && !this.status.gone) offerChoices(this);
    render(this);
  }

  // Gives back what a card takes that is far from the screen: a canvas alone may be a megabyte.
  strip() {
    this.enter('off', '');
    const link = element('a', { href: `${this.name}/` }, this.part('h2').textContent);
    this.card.replaceChildren(element('div', { className: 'picture' }), element('h2', {}, link));
    Object.assign(this, { panel: null, canvas: null, shown: null, arrived: false, label: link.textContent });
    delete this.card.dataset.state;
    this.card.className = 'camera';
    furnished.delete(this);
  }

  enter(mode, query) {
    if (mode === this.mode && (query === this.query || mode === 'off')) return;
    this.control.abort();
    this.control = new AbortController();
    const arrived = this.arrived && mode === this.mode; // another size is no reason to hide the picture meanwhile
    Object.assign(this, { mode, query, arrived, asking: false, problem: null, newest: null, drawn_at: [], retry_ms: RETRY_FIRST_MS });
    if (mode === 'stream') this.stream(this.control.signal);
    if (mode === 'video') this.climb(this.control.signal);
  }

  // Has the best way to a video that goes, until `signal`: opens and closes them as the ladder says.
  async climb(signal) {
    const running = new Map();
    while (!signal.aborted) {
      const { open, close, ask_ms } = this.ladder.plan(performance.now(), running);
      const changed = new AbortController(); // ends the wait below
      this.reconsider = () => changed.abort();
      signal.addEventListener('abort', this.reconsider, { once: true });
      close.forEach((way) => { running.get(way).control.abort(); running.delete(way); });
      open.forEach((way) => running.set(way, this.begin(way, signal, running)));
      await sleep(Math.min(ask_ms - performance.now(), STATUS_EVERY_MS), changed.signal);
      signal.removeEventListener('abort', this.reconsider);
    }
  }

  // Opens one way, and gives what the ladder wants to know of it.
  begin(way, signal, running) {
    const control = new AbortController();
    signal.addEventListener('abort', () => control.abort(), { once: true, signal: control.signal });
    if (way === 'mjpeg') {
      this.stream(control.signal);
      return { control, since_ms: performance.now(), shows: false }; // nothing is below it
    }
    const session = new SESSIONS[way](this, () => this.showVideo(session));
    Object.assign(session, { way, control, onObstacle: (why) => this.ladder.hindered(way, why) });
    this.canvas.after(session.element);
    session.run(control.signal).catch((error) => {
      this.leaveVideo(session);
      if (control.signal.aborted) return;
      running.delete(way);
      const shown_ms = session.shows ? performance.now() - session.shown_since_ms : 0;
      this.ladder.ended(way, performance.now(), error, shown_ms);
      this.reconsider();
    });
    return session;
  }

  // A picture of a video is seen.
  showVideo(session) {
    if (session.control.signal.aborted) return;
    if (this.session !== session) {
      this.session = session;
      this.canvas.hidden = true;
      Object.assign(this, { arrived: true, problem: null, drawn_at: [] });
      this.ladder.works(session.way);
      this.reconsider();
    }
    const { videoWidth: width, videoHeight: height } = session.element;
    this.shown = { capture_ms: session.capture_ms, real: true, rendition: null, width, height };
    this.drawn_at.push(performance.now());
    if (this.drawn_at.length === 1) render(this);
  }

  // Puts away a video that has ended. What was seen last stays, on the canvas.
  leaveVideo(session) {
    const { element } = session;
    if (this.session === session && !this.canvas) this.session = null; // it left the screen meanwhile
    if (this.session === session) {
      this.session = null;
      this.canvas.hidden = false;
      if (element.videoWidth > 0) {
        Object.assign(this.canvas, { width: element.videoWidth, height: element.videoHeight });
        this.canvas.getContext('2d', { alpha: false }).drawImage(element, 0, 0);
      }
      Object.assign(this, { arrived: false, drawn_at: [] });
      render(this);
    }
    session.close();
    element.remove();
  }

  // Keeps the stream open until `signal`: waits longer after each failure, and starts afresh after a frame.
  async stream(signal) {
    while (!signal.aborted) {
      try {
        await this.readStream(signal);
        this.problem = 'The stream ended';
      } catch (error) {
        if (signal.aborted) return;
        this.problem = explain(error);
      }
      Object.assign(this, { arrived: false, drawn_at: [] });
      render(this);
      await sleep(this.backOff(), signal);
    }
  }

  async readStream(signal) {
    const limit = deadline(SILENCE_MS, signal);
    try {
      const response = await fetch(new URL('stream' + this.query, this.url), { cache: 'no-store', signal: limit.signal });
      if (!response.ok) await refuse(response);
      Object.assign(this, { asking: true, streaming: signal });
      const parts = new PartReader((headers, jpeg) => this.take(signal, {
        jpeg: new Blob([jpeg], { type: 'image/jpeg' }),
        capture_ms: captureOf(headers.get('x-timestamp')),
        rendition: headers.get('x-rendition'),
        real: headers.get('x-eyelid-signal')?.toLowerCase() !== 'none',
      }));
      await read(response, limit, (piece) => { this.bytes += piece.length; parts.push(piece); });
    } finally {
      limit.end();
      if (signal === this.streaming) this.asking = false;
    }
  }

  async poll() {
    const { signal } = this.control;
    this.asking = true;
    try {
      this.take(signal, await fetchSnapshot(this, this.snapshotQuery(), signal));
    } catch (error) {
      if (signal.aborted) return;
      this.problem = explain(error);
      this.poll_after = performance.now() + this.backOff();
    } finally {
      if (signal === this.control.signal) this.asking = false;
    }
  }

  // Which picture a stream is asked for. On the wall and in a list all are small but the one that was opened.
  streamQuery() {
    if ((wall || listed) && this !== enlarged) return '?size=quarter';
    return `?${CHOICES.find(([choice]) => choice === (this.choice ?? 'smooth'))[3]}`;
  }

  // Which picture is asked for where there is no stream: a size if one was chosen, else what the card shows of it, and
  // never more than the frame, for which the camera might have to be set up anew.
  snapshotQuery() {
    const query = this.streamQuery();
    if (query.startsWith('?size=')) return query;
    const width = Math.ceil(this.canvas.clientWidth * window.devicePixelRatio);
    return this.choice !== 'sharp' && width > 0 && width < this.status?.width ? `?width=${width}` : '';
  }

  // Jitter keeps the cards of one page from knocking all at once at a server that has just restarted.
  backOff() {
    const wait_ms = this.retry_ms * (0.8 + 0.4 * Math.random());
    this.retry_ms = Math.min(this.retry_ms * 1.7, RETRY_MOST_MS);
    return Math.min(wait_ms, RETRY_MOST_MS);
  }

  // Takes a frame. One that comes while another is being decoded replaces the one that waits: newest only.
  async take(signal, frame) {
    if (signal.aborted || !this.canvas) return;
    Object.assign(this, { newest: frame, problem: null, retry_ms: RETRY_FIRST_MS });
    if (this.decoding) return;
    this.decoding = true;
    while (this.newest) {
      const next = this.newest;
      this.newest = null;
      try {
        const bitmap = await createImageBitmap(next.jpeg);
        if (this.canvas) this.draw(bitmap, next); // else it left the screen meanwhile
        bitmap.close();
      } catch { /* a damaged frame: the last good one stays until the next comes */ }
    }
    this.decoding = false;
  }

  draw(bitmap, frame) {
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.canvas.getContext('2d', { alpha: false }).drawImage(bitmap, 0, 0);
    if (this.session) return; // better came meanwhile
    const changed = !this.arrived || this.shown?.real !== frame.real;
    const { real, rendition } = frame;
    this.shown = { capture_ms: real ? frame.capture_ms : null, real, rendition, width: bitmap.width, height: bitmap.height };
    if (this.mode === 'off') return; // decoded while the stream was being closed
    this.arrived = true;
    if (frame.real) this.drawn_at.push(performance.now());
    if (changed) render(this);
  }

  // Bits per second that came of late.
  bitrate() {
    if (this.session) return this.session.bitrate();
    const now_ms = performance.now();
    this.traffic = [...this.traffic.filter(({ at_ms }) => at_ms > now_ms - RATE_OVER_MS), { at_ms: now_ms, bytes: this.bytes }];
    const [first, last] = [this.traffic[0], this.traffic.at(-1)];
    return last.bytes > first.bytes ? (last.bytes - first.bytes) / (last.at_ms - first.at_ms) * 8000 : null;
  }

  rate() {
    const since = performance.now() - RATE_OVER_MS;
    this.drawn_at = this.drawn_at.filter((moment) => moment > since);
    const [first, last] = [this.drawn_at[0], this.drawn_at.at(-1)];
    return last > first ? (this.drawn_at.length - 1) / (last - first) * 1000 : null;
  }

  // What a person should know: the state (one word), and once why: over the picture, or as a note below it.
  describe() {
    const said = this.status;
    if (unreachable(this) && !this.paused) return { state: 'failed', message: 'Unreachable', more: `since ${momentText(said.unreachable_since)}` };
    const failed = said?.state === 'failed' && { state: 'failed', message: 'The camera has failed', more: said.error || '', retry: this.retry() };
    if (this.paused) {
      if (said?.state === 'asleep') return { state: 'asleep', message: 'Paused', more: this.whyAsleep() };
      if (failed) return { ...failed, message: 'Paused', more: 'The camera has failed.', retry: '' };
      return { state: 'paused', message: 'Paused', more: said?.state === 'awake' ? this.whyAwake() : '' };
    }
    const stands = this.session && performance.now() - this.session.last_ms > STANDS_MS; // a video has no card that says so
    const why = this.session && whyItStands(this.session, said, performance.now());
    if (why) return { state: 'no signal', message: 'No picture comes', more: why };
    if (failed && (stands || !(this.arrived && this.shown.real))) return failed;
    if (this.problem) return { state: 'connecting', message: this.problem, more: 'Trying again…' };
    if (!this.arrived && this.mode === 'off' && said?.state === 'asleep') return { state: 'asleep', message: 'Asleep' };
    if (!this.arrived) return { state: 'connecting', message: said?.state === 'asleep' ? 'Waking the camera…' : 'Connecting…' };
    if (!this.shown.real) return { state: 'no signal' };
    return { state: 'awake', note: this.mode === 'snapshots' ? 'In turn with others: the browser has no connection left for its stream.' : '' };
  }

  // When a failed camera is tried again, by the server's clock.
  retry() {
    const at_ms = Date.parse(this.status.retry);
    if (Number.isNaN(at_ms)) return '';
    const left_s = Math.ceil((at_ms - Date.now() - (clock.offset_ms ?? 0)) / 1000);
    return left_s > 0 ? `Next try in ${left_s} s` : 'Trying again…';
  }

  // A camera that pushes its pictures sends on, if it does not know how to sleep.
  whyAsleep() {
    const push = this.status.push;
    if (push?.connected && !push.sleeps) return 'Nobody looks. The camera sends all the same: it cannot be told to sleep.';
    return 'The camera is asleep.';
  }

  whyAwake() {
    if (this.others) return `The camera is awake, for ${people(this.others)} it.`;
    return 'The camera is awake. It falls asleep soon, unless another program reads its pictures.';
  }
}

const people = (count) => (count === 1 ? '1 other looks at' : `${count} others look at`);

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

// ---- a list ----

const filter = document.getElementById('filter');

// Shows the cameras whose names, with that of their host, have all these words in them. A host with none is not shown, and
// one with some is open for as long as that is asked for.
function filterBy(text) {
  if (filter.value !== text) filter.value = text;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Map(); // hosts with some
  let count = 0;
  for (const camera of cameras) {
    const has = words.every((word) => camera.sought.includes(word));
    if (camera.card.hidden === has) camera.card.hidden = !has;
    if (!has) continue;
    count++;
    found.set(camera.host, (found.get(camera.host) ?? 0) + 1);
  }
  for (const host of document.querySelectorAll('.host')) {
    host.hidden = !found.has(host);
    setText(host.querySelector('.host-count'), String(found.get(host) ?? 0));
    setOpen(host, words.length > 0 || !closedHosts.has(host.dataset.host));
  }
  document.getElementById('none').hidden = count > 0;
  if (enlarged?.card.hidden) enlarge(null);
  setText(document.getElementById('found'), words.length ? `${count} of ${cameras.length}` : `${cameras.length} cameras`);
  const url = new URL(location.href);
  if (words.length) url.searchParams.set('filter', text);
  else url.searchParams.delete('filter');
  history.replaceState(null, '', `${url.pathname}${url.search.replace(/=(?=&|$)/g, '')}`);
  leadToWall();
}

function setOpen(host, open) {
  if (host.open !== open) host.open = open;
}

// The hosts whose cameras a person has put away, for as long as the browser remembers.
const closedHosts = {
  key: `eyelid closed ${root.pathname}`,
  names: null,
  all() {
    if (this.names) return this.names;
    try { this.names = new Set(JSON.parse(localStorage.getItem(this.key) ?? '[]')); } catch { this.names = new Set(); }
    return this.names;
  },
  has(name) { return this.all().has(name); },
  set(name, closed) {
    if (closed) this.all().add(name);
    else this.all().delete(name);
    try { localStorage.setItem(this.key, JSON.stringify([...this.all()])); } catch { /* not to be helped */ }
  },
};

// Opens or closes all hosts.
function openAll(open) {
  for (const host of document.querySelectorAll('.host')) {
    closedHosts.set(host.dataset.host, !open);
    setOpen(host, open);
  }
}

// Watches which cards are on the screen, which close to it, and which headings are seen. What leaves the screen is not
// looked at from that moment on; what comes onto it is when it has stayed there for a moment.
function watchScreen() {
  const of = new Map(cameras.map((camera) => [camera.card, camera]));
  const coming = new Map(); // cameras, and when each is to be looked at
  let timer = null;
  const settle = () => {
    timer = null;
    const now_ms = performance.now();
    for (const [camera, at_ms] of coming) {
      if (at_ms > now_ms) continue;
      coming.delete(camera);
      camera.on_screen = true;
    }
    assign();
    wait();
  };
  const wait = () => {
    if (coming.size && timer === null) timer = setTimeout(settle, Math.max(0, Math.min(...coming.values()) - performance.now()));
  };
  const seen = new IntersectionObserver((entries) => {
    const at_ms = performance.now() + (listed ? ON_SCREEN_MS : 0);
    for (const { target, isIntersecting } of entries) {
      const camera = of.get(target);
      if (isIntersecting) {
        if (!camera.on_screen) coming.set(camera, at_ms);
        continue;
      }
      coming.delete(camera);
      if (!camera.on_screen) continue;
      camera.on_screen = false;
      camera.enter('off', '');
      timer ??= setTimeout(settle, 0); // others may have its connection
    }
    wait();
  }, { rootMargin: listed ? '0px' : '100% 0px' }); // a page of few has what is about to be seen
  cameras.forEach(({ card }) => seen.observe(card));
  if (!listed) return;
  const close = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const camera = of.get(target);
      if (isIntersecting && !furnished.has(camera)) camera.furnish();
      else if (!isIntersecting && furnished.has(camera) && camera !== enlarged && !isFilled(camera) && !target.contains(document.activeElement)) camera.strip();
    }
  }, { rootMargin: '50% 0px' });
  cameras.forEach(({ card }) => close.observe(card));
  const headings = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) target.parentElement.classList.toggle('seen', isIntersecting);
  });
  document.querySelectorAll('.host > summary').forEach((summary) => headings.observe(summary));
}

function leadToWall() {
  const text = filter?.value ? `filter=${encodeURIComponent(filter.value)}` : '';
  const query = [wall ? '' : 'wall', text].filter(Boolean).join('&');
  document.getElementById('to-wall').href = `${location.pathname}${query && '?'}${query}`;
}

function startList() {
  document.getElementById('find').hidden = false;
  const hosts = [...document.querySelectorAll('.host')];
  const first = new Set();
  for (const camera of cameras) {
    camera.sought = `${camera.name} ${camera.label}`.toLowerCase();
    if (camera.host !== null && !first.has(camera.host)) heads.push(camera);
    first.add(camera.host);
  }
  for (const host of hosts) {
    host.querySelector('summary').addEventListener('click', () => {
      if (!filter.value) closedHosts.set(host.dataset.host, host.open); // it is about to change
    });
  }
  const all = document.getElementById('open-all');
  all.hidden = hosts.length < 2;
  const say = () => {
    const open = hosts.some((host) => host.open);
    setButton(all, open ? 'fold' : 'unfold', open ? 'Close all' : 'Open all');
  };
  hosts.forEach((host) => host.addEventListener('toggle', () => {
    say();
    if (!host.open && enlarged?.host === host) enlarge(null);
  }));
  all.addEventListener('click', () => openAll(!hosts.some((host) => host.open)));
  say();
  let timer;
  filter.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => filterBy(filter.value), 100);
  });
  filterBy(new URLSearchParams(location.search).get('filter') ?? '');
}

function start() {
  document.documentElement.classList.add('js');
  document.documentElement.classList.toggle('listed', listed);
  document.documentElement.classList.toggle('wall', wall);
  main.classList.toggle('many', cameras.length > 1 || wall);
  const pauseAll = document.getElementById('pause-all');
  pauseAll.hidden = cameras.length < 2;
  pauseAll.addEventListener('click', () => pause(cameras, !cameras.every(({ paused }) => paused)));
  const toWall = document.getElementById('to-wall');
  toWall.hidden = cameras.length < 2 && !wall;
  leadToWall();
  if (wall) {
    toWall.title = 'Leave the wall';
    toWall.querySelector('span').textContent = toWall.title;
    toWall.querySelector('use').setAttribute('href', '#close');
  }
  offerAlerts();
  document.querySelector('.keys').hidden = false;
  document.querySelector('.keys .of-video').hidden = !programs.has('video');
  document.querySelector('.keys .of-list').hidden = !listed;
  cameras.forEach((camera, index) => { camera.index = index; });
  if (listed) startList();
  else cameras.forEach((camera) => { furnished.add(camera); listen(camera); });
  fill(null);
  enlarge(null);
  pause(cameras, false);
  watchScreen();
  addresses.querySelector('.close').addEventListener('click', () => addresses.close());
  addresses.addEventListener('click', (event) => { if (event.target === addresses) addresses.close(); }); // beside it
  window.addEventListener('resize', layOut);
  document.addEventListener('keydown', onKey);
  document.addEventListener('fullscreenchange', () => { if (!document.fullscreenElement) fill(null); });
  window.addEventListener('online', () => cameras.forEach((camera) => { camera.ladder.reset(); camera.reconsider?.(); }));
  if (main.dataset.root && !wall && programs.has('video')) becomePlayer();
  let watching = new AbortController();
  const look = () => {
    watching.abort();
    watching = new AbortController();
    if (document.hidden) windows.leave();
    else windows.enter();
    assign();
    if (document.hidden) return;
    pollStatus(watching.signal);
    pollSnapshots(watching.signal);
  };
  document.addEventListener('visibilitychange', look);
  look();
  setInterval(() => { if (!document.hidden) furnished.forEach(render); }, 500);
}

start();
