// Why this script exists: an <img> of a stream cannot tell how old its picture is, cannot say why it stopped, never
// reconnects, and in some browsers never lets go. This script reads each camera's stream itself, draws the newest frame,
// shows state, rate and age, and closes the stream as soon as nobody looks, so that the camera can fall asleep.
// It assumes the markup of index.html and camera.html, and no particular address: every URL is relative to the page.
// Without this script the page still shows moving pictures (<noscript>). It goes from the wire (PartReader, here) to the
// hand (hand.js), in several files that are sent as one, viewer.js (SCRIPT in viewer.rs has their order). Better ways to a
// picture than the stream of JPEGs are in video.js, which is read before.
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

