// What `watched-video` has a browser do: play a camera, and read in each picture that it shows when
// that was captured (`src/film.rs` has drawn it there).

const CELLS = 32;
const CHECK_BITS = 8;
const CHECK = 0xa5;
const MOMENTS = 2 ** (CELLS - CHECK_BITS);

globalThis.bench = {
  seen: [], // [when it was shown, its age, how many were shown until then], all in ms

  // Looks at all that a video shows from now on.
  watch(video) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [CELLS, 1];
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const read = () => {
      // The middle of each cell; half-size pictures have 16 rows of them.
      context.drawImage(video, 0, 4, video.videoWidth, 8, 0, 0, CELLS, 1);
      const { data } = context.getImageData(0, 0, CELLS, 1);
      let bits = 0;
      for (let cell = 0; cell < CELLS; cell += 1) bits = bits * 2 + (data[cell * 4 + 1] > 120);
      const moment = Math.floor(bits / 2 ** CHECK_BITS);
      const check = (moment ^ (moment >> 8) ^ (moment >> 16) ^ CHECK) & 0xff;
      return check === bits % 2 ** CHECK_BITS ? moment : null;
    };
    const shown = (_, { presentedFrames }) => {
      const now = Date.now();
      const moment = read();
      const age = moment === null ? null : (now - moment) % MOMENTS;
      this.seen.push([now, age, presentedFrames]);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  },

  // Begins a connection that plays in a video of its own.
  begin() {
    const video = document.createElement('video');
    Object.assign(video, { autoplay: true, muted: true, playsInline: true });
    document.body.replaceChildren(video);
    this.peer = new RTCPeerConnection();
    this.peer.ontrack = ({ track }) => (video.srcObject = new MediaStream([track]));
    this.seen = [];
    this.watch(video);
  },

  // Plays by WHEP. Gives when it asked.
  async whep(url) {
    this.begin();
    this.peer.addTransceiver('video', { direction: 'recvonly' });
    await this.peer.setLocalDescription();
    const asked = Date.now();
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp' },
      body: this.peer.localDescription.sdp,
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    this.resource = new URL(answer.headers.get('Location'), answer.url);
    await this.peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    return asked;
  },

  // Plays mountpoint 1 of Janus, at whose plugin it is already when it asks. Gives when it asked.
  async janus(url) {
    this.begin();
    const post = async (path, order) => {
      const body = JSON.stringify({ transaction: 'bench', ...order });
      return (await fetch(path, { method: 'POST', body })).json();
    };
    const session = `${url}/${(await post(url, { janus: 'create' })).data.id}`;
    const plugin = { janus: 'attach', plugin: 'janus.plugin.streaming' };
    const handle = `${session}/${(await post(session, plugin)).data.id}`;
    const asked = Date.now();
    await post(handle, { janus: 'message', body: { request: 'watch', id: 1 } });
    let event;
    do event = await (await fetch(`${session}?maxev=1`)).json();
    while (!event.jsep);
    await this.peer.setRemoteDescription(event.jsep);
    await this.peer.setLocalDescription();
    const { type, sdp } = this.peer.localDescription;
    await post(handle, { janus: 'message', body: { request: 'start' }, jsep: { type, sdp } });
    return asked;
  },

  // Ends a connection, as a page does that is left.
  async end() {
    if (this.resource) await fetch(this.resource, { method: 'DELETE' });
    this.resource = undefined;
    this.peer.close();
  },

  // What came: pictures that were decoded, and how coarsely they were encoded in all.
  async received() {
    const stats = [...(await this.peer.getStats()).values()];
    const video = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    const { framesDecoded, qpSum, packetsLost, bytesReceived } = video ?? {};
    return { at: Date.now(), framesDecoded, qpSum, packetsLost, bytesReceived };
  },
};
