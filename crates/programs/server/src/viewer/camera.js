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

