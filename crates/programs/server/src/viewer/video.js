// Why this file exists: where eyelid-video runs, a camera comes as H.264, in a sixth of the bytes of its JPEGs. This is how:
// by WebRTC, where browser and network have it, else by Media Source Extensions (MSE) over a WebSocket. It goes from what
// decides (Ladder, playbackRate, captureOfRtp), apart from clocks and sockets, to the two sessions that do.
// It knows one camera at a time, by its `url` and its `status`, and nothing of the page. viewer.js, which is read after it,
// has the rest: the stream of JPEGs below both ways, and what all ways have in common (the server's clock, `deadline`,
// `refuse`). A page by plain HTTP has no WebCodecs, which would be a third.
'use strict';

// From the best way to the one that always goes.
const WAYS = ['webrtc', 'mse', 'mjpeg'];
const WAY_NAMES = { webrtc: 'WebRTC', mse: 'MSE', mjpeg: 'MJPEG' };

const HEAD_START_MS = 1000; // so long a way may be without a picture before the next is tried beside it
const CONNECT_MS = 3000; // UDP that is blocked says nothing; one that is not connects within a fraction of this
const ANSWER_MS = 8000;
const UPGRADE_REQUIRED = 426; // who asks for a WebSocket without one, where there would be one
const STANDS_MS = 1500; // a picture that is no longer replaced may be of now for so long
const SILENT_MS = 3000; // a picture is late by this, although the camera is awake: the path is dead
const SILENT_UNKNOWN_MS = 15000; // the same for a camera that does not say how often it has one
const AGAIN_FIRST_MS = 8000;
const AGAIN_MOST_MS = 300000;
const LASTED_MS = 20000; // a session that lasted so long has proved its way
const FIGURES_OVER_MS = 3000;

// What is ahead of the picture shown, of MSE, which left alone plays 120 to 440 ms behind.
const GAP_MOST_S = 0.12;
const GAP_LEAST_S = 0.04;
const GAP_JUMP_S = 1;
const GAP_AFTER_JUMP_S = 0.06;
const MOST_CAPTURES = 300; // of pictures that came and are still to be shown
const SAME_MOMENT_S = 0.0005; // browsers count in microseconds, or less finely
const KEPT_S = 20; // of what was played, in the browser's memory; a keyframe is asked for when it is more
const KEY_EVERY_MS = 5000;
const PENDING_MOST_BYTES = 8 << 20; // what waits for a decoder that takes nothing

const RTP_PER_MS = 90;
const RTP_TURN_MS = 2 ** 32 / RTP_PER_MS; // 13 hours
const NTP_TO_UNIX_MS = 2208988800000; // from 1900 to 1970
const PLAUSIBLE_AGE_MS = 60000;

// Why a way is not to be tried soon: the browser lacks what it needs.
class Lacking extends Error {}

// ---- deciding ----

// Which ways are open, and which to open next. A way that failed is closed for a while, twice as long each time.
class Ladder {
  constructor() { this.reset(); }

  reset() {
    this.rungs = WAYS.map((way) => ({ way, closed_until_ms: 0, again_ms: AGAIN_FIRST_MS, why: '' }));
  }

  // What to open and to close, and when to ask again. `running` has what is open: since when, and whether it shows anything.
  plan(now_ms, running) {
    const decided = { open: [], close: [], ask_ms: Infinity };
    let shows = false; // a better way does
    let waits = false; // a better way may yet
    for (const { way, closed_until_ms } of this.rungs) {
      const session = running.get(way);
      if (shows) {
        if (session) decided.close.push(way);
      } else if (session?.shows) {
        shows = true;
      } else if (session || (!waits && closed_until_ms <= now_ms)) {
        if (!session) decided.open.push(way);
        const until_ms = (session?.since_ms ?? now_ms) + HEAD_START_MS;
        if (until_ms <= now_ms) continue;
        waits = true;
        decided.ask_ms = Math.min(decided.ask_ms, until_ms);
      } else if (closed_until_ms > now_ms) {
        decided.ask_ms = Math.min(decided.ask_ms, closed_until_ms);
      }
    }
    return decided;
  }

  // A way has ended, after it had shown something for so long (0: never). One that had proved itself is tried again at once.
  ended(way, now_ms, why, shown_ms) {
    const rung = this.rungs.find((each) => each.way === way);
    const proved = shown_ms >= LASTED_MS;
    const wait_ms = proved ? 0 : why instanceof Lacking ? AGAIN_MOST_MS : rung.again_ms;
    Object.assign(rung, { closed_until_ms: now_ms + wait_ms, again_ms: proved ? AGAIN_FIRST_MS : Math.min(2 * rung.again_ms, AGAIN_MOST_MS), why: why.message });
  }

  // A way is open, and this is why it shows nothing yet.
  hindered(way, why) { this.rungs.find((each) => each.way === way).why = why; }

  // A way shows the camera.
  works(way) { this.rungs.find((each) => each.way === way).why = ''; }

  // Why the ways above this one are not taken, in words.
  above(way, now_ms) {
    return this.rungs.slice(0, WAYS.indexOf(way)).filter(({ why }) => why).map(({ way: better, why, closed_until_ms }) => {
      const left_s = Math.ceil((closed_until_ms - now_ms) / 1000);
      return `${WAY_NAMES[better]}: ${why}${left_s > 0 ? `; again in ${left_s} s` : ''}`;
    });
  }
}

// How fast MSE plays, by how much it has ahead of the picture shown: null where it is to jump. It goes on as it does until
// the middle is reached, so that the rate does not flutter.
function playbackRate(gap_s, rate) {
  if (gap_s > GAP_JUMP_S) return null;
  if (gap_s > GAP_MOST_S) return 1.15;
  if (gap_s < GAP_LEAST_S) return 0.9;
  const middle_s = (GAP_MOST_S + GAP_LEAST_S) / 2;
  const arrived = rate > 1 ? gap_s <= middle_s : gap_s >= middle_s;
  return arrived ? 1 : rate;
}

// The capture of a frame, by its RTP timestamp: that is Unix time, of which it has 13 hours. Null where it is none.
function captureOfRtp(timestamp, now_ms) {
  const turns_ms = now_ms - timestamp / RTP_PER_MS;
  const age_ms = turns_ms - RTP_TURN_MS * Math.round(turns_ms / RTP_TURN_MS);
  return Math.abs(age_ms) < PLAUSIBLE_AGE_MS ? now_ms - age_ms : null;
}

// The capture of a fragment's picture, and its moment in the film: the box "producer reference time" says both (ISO/IEC
// 14496-12, 8.16.5). Null where the bytes do not begin with one.
function captureOfFragment(bytes) {
  const view = new DataView(bytes);
  if (view.byteLength < 32 || view.getUint32(4) !== 0x70726674 /* prft */) return null;
  const capture_ms = 1000 * (view.getUint32(16) + view.getUint32(20) / 2 ** 32) - NTP_TO_UNIX_MS;
  return { capture_ms, media_s: Number(view.getBigUint64(24)) / 90000, is_key: hasKeyframe(view) };
}

// Says whether a fragment's picture can be decoded without another: among its NAL units is an IDR slice (ITU-T H.264, 7.4.1).
function hasKeyframe(view) {
  const boxes = view.getUint32(0) + view.getUint32(view.getUint32(0)); // before the one with the picture
  for (let at = boxes + 8; at + 5 <= view.byteLength; at += 4 + view.getUint32(at)) {
    if ((view.getUint8(at + 4) & 31) === 5) return true;
  }
  return false;
}

// For how long no picture is no sign of a dead path. `status` is what the server says of the camera.
function patience_ms(status, unknown_ms = SILENT_UNKNOWN_MS) {
  if (status?.state !== 'awake') return Infinity; // it has failed, or still wakes: none can come
  return status.fps > 0 ? Math.max(SILENT_MS, 3000 / status.fps) : unknown_ms;
}

// Why the picture of a video is one of the past, for a person; empty where it is of now, as far as is known. A camera that is
// slow has pauses, too: one that does not say how long they are is taken at its longest.
function whyItStands(session, status, now_ms) {
  if (status?.state !== 'awake') return '';
  const silent_ms = now_ms - session.last_ms;
  const reason = session.obstacle || status.waiting;
  if (reason) return silent_ms > STANDS_MS ? reason : '';
  return silent_ms > patience_ms(status, Math.max(SILENT_MS, 2 * session.longest_ms)) ? 'The camera is awake, and gives no picture.' : '';
}

// ---- sessions ----

// What both ways have in common: an element that shows the camera, and what is counted of it.
class Session {
  constructor(camera, onPicture) {
    this.camera = camera;
    this.since_ms = performance.now();
    this.shown_since_ms = null;
    this.last_ms = null; // when the last picture came, or could have come
    this.longest_ms = 0; // between two pictures
    this.capture_ms = null; // of the picture shown
    this.counted = []; // bytes and packets at moments of late
    this.obstacle = ''; // why no picture comes, as the server has it
    this.facts = [];
    this.element = document.createElement('video');
    Object.assign(this.element, { muted: true, autoplay: true, playsInline: true, disableRemotePlayback: true });
    const picture = (frame) => {
      const now_ms = performance.now();
      if (this.shows) this.longest_ms = Math.max(this.longest_ms, now_ms - this.last_ms);
      this.last_ms = now_ms;
      this.shown_since_ms ??= now_ms;
      this.capture_ms = this.captured(frame);
      onPicture(this);
    };
    if (this.element.requestVideoFrameCallback) {
      const each = (_, frame) => { picture(frame); this.element.requestVideoFrameCallback(each); };
      this.element.requestVideoFrameCallback(each);
    } else {
      this.element.addEventListener('timeupdate', () => picture({ mediaTime: this.element.currentTime }));
    }
  }

  get shows() { return this.shown_since_ms !== null; }

  // Runs until `signal`, or until it fails; either way by an error, that says why.
  async run(signal) {
    let stop;
    const over = new Promise((_, reject) => { stop = reject; });
    const abort = () => stop(new DOMException('nobody wants it', 'AbortError'));
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const watch = setInterval(() => this.watch(stop), 500);
    try {
      await Promise.race([this.open(stop, signal), over]);
      await over;
    } finally {
      clearInterval(watch);
      signal.removeEventListener('abort', abort);
    }
  }

  watch(stop) {
    if (this.last_ms !== null && performance.now() - this.last_ms > patience_ms(this.camera.status)) stop(new Error(this.obstacle || 'no picture came any more'));
    this.measure().catch(() => {});
  }

  // Remembers what was counted until now.
  count(counted) {
    const now_ms = performance.now();
    this.counted.push({ at_ms: now_ms, ...counted });
    while (this.counted.length > 2 && this.counted[0].at_ms < now_ms - FIGURES_OVER_MS) this.counted.shift();
  }

  // What came of something of late.
  gained(name) {
    const [first, last] = [this.counted[0], this.counted.at(-1)];
    return last && last !== first ? { more: last[name] - first[name], over_ms: last.at_ms - first.at_ms } : null;
  }

  bitrate() {
    const bytes = this.gained('bytes');
    return bytes && bytes.over_ms > 0 ? 8000 * bytes.more / bytes.over_ms : null;
  }

  // The share of packets that were lost of late; null where nothing can be.
  loss() { return null; }
}

class WebRtcSession extends Session {
  async open(stop, signal) {
    if (!window.RTCPeerConnection) throw new Lacking('this browser has none');
    const peer = this.peer = new RTCPeerConnection(); // the addresses of its network suffice: no STUN
    const transceiver = peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addEventListener('track', ({ track, receiver }) => {
      if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
      this.element.srcObject = new MediaStream([track]);
    });
    peer.addEventListener('connectionstatechange', () => {
      if (peer.connectionState === 'connected') this.last_ms ??= performance.now();
      else if (['failed', 'disconnected', 'closed'].includes(peer.connectionState)) stop(new Error('the connection was lost'));
    });
    await peer.setLocalDescription(await peer.createOffer());
    const { sdp } = peer.localDescription;
    if (!/^a=rtpmap:\d+ H264\//im.test(sdp)) throw new Lacking('this browser offers no H.264');
    const answer = await this.offer(sdp, signal);
    if (signal.aborted) return;
    await peer.setRemoteDescription({ type: 'answer', sdp: answer });
    this.receiver = transceiver.receiver;
    setTimeout(() => { if (this.last_ms === null) stop(new Error('no connection by UDP')); }, CONNECT_MS);
  }

  // Opens a session at the server. That is not cut short when nobody wants it any more: what was opened must be closed.
  async offer(sdp, signal) {
    const limit = deadline(ANSWER_MS);
    try {
      const headers = { 'Content-Type': 'application/sdp' };
      const response = await fetch(new URL('whep', this.camera.url), { method: 'POST', headers, body: sdp, cache: 'no-store', signal: limit.signal });
      if (!response.ok) await refuse(response);
      // Below a proxy's prefix the server's own paths are none of the browser's.
      const id = (response.headers.get('Location') ?? '').split('/').filter(Boolean).at(-1);
      if (id) this.url = new URL(`whep/${id}`, this.camera.url);
      if (signal.aborted) this.leave();
      return await response.text();
    } finally { limit.end(); }
  }

  // Tells the server, even while the page is being left, so that the camera can fall asleep at once.
  async leave() {
    const url = this.url;
    this.url = null;
    if (url) await fetch(url, { method: 'DELETE', keepalive: true }).catch(() => {});
  }

  // The server first: by the connection's end it would know, too, and then there is no session to end.
  close() {
    this.leave().finally(() => this.peer?.close());
    this.element.srcObject = null;
  }

  captured(frame) {
    const now_ms = clock.server_ms();
    if (now_ms === null) return null;
    const by_rtp = 'rtpTimestamp' in frame ? captureOfRtp(frame.rtpTimestamp, now_ms) : null;
    return by_rtp ?? (this.playout_age_ms === undefined ? null : now_ms - this.playout_age_ms);
  }

  loss() {
    const [lost, came] = [this.gained('lost'), this.gained('packets')];
    return lost && lost.more + came.more > 0 ? Math.max(0, lost.more) / (lost.more + came.more) : null;
  }

  async measure() {
    if (!this.receiver) return;
    const reports = [...(await this.peer.getStats()).values()];
    const of = (type, which = () => true) => reports.find((report) => report.type === type && which(report));
    const video = of('inbound-rtp', ({ kind }) => kind === 'video');
    if (!video) return;
    const pair = of('candidate-pair', ({ nominated, state }) => nominated && state === 'succeeded');
    const codec = reports.find(({ id }) => id === video.codecId);
    this.count({ bytes: video.bytesReceived, packets: video.packetsReceived, lost: video.packetsLost });
    const playout_ms = video.estimatedPlayoutTimestamp;
    if (playout_ms && clock.offset_ms !== null) {
      const captured_ms = playout_ms > NTP_TO_UNIX_MS ? playout_ms - NTP_TO_UNIX_MS : playout_ms;
      const age_ms = clock.server_ms() - captured_ms;
      if (Math.abs(age_ms) < PLAUSIBLE_AGE_MS) this.playout_age_ms = Math.max(0, age_ms);
    }
    const buffered_ms = video.jitterBufferEmittedCount > 0 ? 1000 * video.jitterBufferDelay / video.jitterBufferEmittedCount : undefined;
    this.facts = [
      ['codec', codecText(codec?.sdpFmtpLine?.match(/profile-level-id=([0-9a-f]{6})/i))],
      ['decoded', whole(video.framesDecoded)],
      ['dropped', whole(video.framesDropped)],
      ['packets lost', whole(video.packetsLost), video.packetsReceived > 0 && ` of ${video.packetsReceived}`],
      ['jitter', milliseconds(1000 * video.jitter)],
      ['round trip', milliseconds(1000 * pair?.currentRoundTripTime)],
      ['in its buffer', milliseconds(buffered_ms)],
      ['frozen', whole(video.freezeCount), video.freezeCount > 0 && ` times, ${video.totalFreezesDuration?.toFixed(1)} s`],
      ['asked for again', whole(video.nackCount), video.pliCount > 0 && `, keyframes ${video.pliCount}`],
    ];
  }
}

class MseSession extends Session {
  async open(stop, signal) {
    this.Source = window.ManagedMediaSource ?? window.MediaSource;
    if (!this.Source) throw new Lacking('this browser has none');
    const url = new URL('mse', this.camera.url);
    url.protocol = url.protocol.replace('http', 'ws');
    this.stop = stop;
    this.pending = []; // types of what follows (strings), and bytes
    this.captures = []; // of the newest pictures
    this.keys = []; // the moments of keyframes
    this.asked_ms = 0; // when for one
    this.bytes = 0;
    this.rate = 1;
    this.socket = new WebSocket(url);
    this.socket.binaryType = 'arraybuffer';
    this.socket.addEventListener('close', ({ reason }) => {
      if (reason || this.last_ms !== null) stop(new Error(reason || 'the connection was lost'));
      else this.whyNone().then(stop);
    });
    this.socket.addEventListener('open', () => { this.last_ms ??= performance.now(); });
    this.socket.addEventListener('message', ({ data }) => {
      try {
        if (typeof data === 'string') this.told(JSON.parse(data));
        else this.take(data);
      } catch (error) { stop(error); }
    });
    setTimeout(() => { if (this.last_ms === null) this.socket.close(); }, CONNECT_MS);
  }

  // Why there is no WebSocket. A browser does not tell, but the server does who asks it without one.
  async whyNone() {
    const limit = deadline(CONNECT_MS);
    try {
      const response = await fetch(new URL('mse', this.camera.url), { cache: 'no-store', signal: limit.signal });
      if (response.status !== UPGRADE_REQUIRED) await refuse(response);
      return new Error('WebSockets do not pass');
    } catch (error) {
      return error instanceof TypeError || error.name === 'AbortError' ? new Error('there is no connection') : error;
    } finally { limit.end(); }
  }

  // The server says what comes before it does, and again when that changes; and why nothing comes.
  told({ type, mime, reason }) {
    if (type === 'obstacle') {
      this.obstacle = reason;
      if (!this.shows) this.onObstacle?.(reason);
    }
    if (type !== 'init') return;
    if (!this.Source.isTypeSupported(mime)) throw new Lacking(`this browser does not play ${mime}`);
    this.mime = mime;
    if (this.buffer) {
      this.pending.push(mime);
      return;
    }
    this.source = new this.Source();
    this.source.addEventListener('sourceopen', () => {
      if (this.source.readyState !== 'open') return; // closed before the browser said so
      URL.revokeObjectURL(this.element.src);
      this.buffer = this.source.addSourceBuffer(mime);
      this.buffer.addEventListener('updateend', () => this.feed());
      this.buffer.addEventListener('error', () => this.stop(new Error('the browser could not decode it')));
      this.feed();
    }, { once: true });
    this.element.addEventListener('error', () => this.stop(new Error(this.element.error?.message || 'the browser could not decode it')));
    this.element.src = URL.createObjectURL(this.source);
  }

  take(data) {
    this.bytes += data.byteLength;
    this.obstacle = '';
    const moment = captureOfFragment(data);
    if (moment?.is_key) this.keys.push(moment.media_s);
    if (moment) this.captures = [...this.captures.slice(1 - MOST_CAPTURES), moment];
    this.pending.push(data);
    const waits = this.pending.reduce((sum, each) => sum + (each.byteLength ?? 0), 0);
    if (waits > PENDING_MOST_BYTES) throw new Error('the browser decodes too slowly');
    this.feed();
  }

  feed() {
    if (this.source?.readyState !== 'open' || !this.buffer || this.buffer.updating) return;
    try {
      this.follow();
      if (this.trim()) return;
      const [first] = this.pending;
      if (first === undefined) return;
      if (typeof first === 'string') {
        this.buffer.changeType(first);
        this.pending.shift();
      }
      const until = this.pending.findIndex((each) => typeof each === 'string');
      const pieces = this.pending.splice(0, until < 0 ? Infinity : until);
      if (pieces.length) this.buffer.appendBuffer(pieces.length === 1 ? pieces[0] : joined(pieces));
    } catch (error) { this.stop(error); }
  }

  // Forgets what was played, if that is enough to be worth it. With a picture all go that need it, up to the next keyframe: so
  // that must be one before what is shown. They are made when somebody asks.
  trim() {
    const { buffered, currentTime } = this.element;
    if (!buffered.length || currentTime - buffered.start(0) < KEPT_S) return false;
    const key_s = this.keys.findLast((media_s) => media_s < currentTime - 1);
    if (key_s > buffered.start(0) + 1) {
      this.keys = this.keys.filter((media_s) => media_s >= key_s);
      this.buffer.remove(0, key_s - SAME_MOMENT_S);
      return true;
    }
    if (performance.now() - this.asked_ms > KEY_EVERY_MS && this.keys.at(-1) < currentTime - 1) {
      this.asked_ms = performance.now();
      this.socket.send('k');
    }
    return false;
  }

  // Keeps what is shown close behind what has come.
  follow() {
    const { element } = this;
    const { buffered } = element;
    if (!buffered.length) return;
    const end_s = buffered.end(buffered.length - 1);
    this.gap_s = end_s - element.currentTime;
    const rate = element.currentTime < buffered.start(buffered.length - 1) ? null : playbackRate(this.gap_s, this.rate);
    if (rate === null) element.currentTime = Math.max(buffered.start(buffered.length - 1), end_s - GAP_AFTER_JUMP_S);
    this.rate = rate ?? 1;
    if (element.playbackRate !== this.rate) element.playbackRate = this.rate;
    if (element.paused) element.play().catch((error) => { if (error.name === 'NotAllowedError') this.stop(error); });
  }

  captured({ mediaTime }) {
    return this.captures.findLast(({ media_s }) => Math.abs(media_s - mediaTime) < SAME_MOMENT_S)?.capture_ms ?? null;
  }

  close() {
    this.socket?.close();
    if (this.element.src) {
      this.element.removeAttribute('src');
      this.element.load(); // lets go of the decoder
    }
  }

  async measure() {
    if (!this.buffer) return;
    this.count({ bytes: this.bytes });
    const quality = this.element.getVideoPlaybackQuality?.();
    this.facts = [
      ['codec', codecText(this.mime.match(/avc1\.([0-9a-f]{6})/i))],
      ['decoded', whole(quality && quality.totalVideoFrames - quality.droppedVideoFrames)],
      ['dropped', whole(quality?.droppedVideoFrames)],
      ['in its buffer', milliseconds(1000 * this.gap_s)],
      ['plays at', `${this.rate.toFixed(2)} ×`],
      ...(this.obstacle ? [['no picture', this.obstacle]] : []),
    ];
  }
}

const SESSIONS = { webrtc: WebRtcSession, mse: MseSession };

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(new Uint8Array(piece), at);
    at += piece.byteLength;
  }
  return all;
}

// ---- words ----

const whole = (number) => (Number.isFinite(number) ? String(Math.round(number)) : '–');
const milliseconds = (ms) => (Number.isFinite(ms) ? `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms` : '–');
const codecText = (found) => (found ? `H.264 ${found[1]}` : ''); // by its profile and level
