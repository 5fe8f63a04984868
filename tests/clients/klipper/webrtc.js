"use strict";

// How Mainsail and Fluidd watch by WebRTC, as klipper.js: what they ask in which order and with what headers, written
// anew from their WebrtcCameraStreamer.vue, WebrtcMediaMTX.vue, WebrtcCamerastreamerCamera.vue and
// WebrtcMediamtxCamera.vue of 2026. What they would try again after is a failure here.

const watched = {
  asked: [], // method and status of each request
  failure: null,
};

let peer = null; // the connection that is open

/** Asks, and remembers what came of it. */
async function ask(url, options, wanted) {
  const response = await fetch(url, options);
  watched.asked.push(`${options.method} ${response.status}`);
  if (response.status !== wanted) throw new Error(`${options.method} ${url}: ${response.status}`);
  return response;
}

/** Shows a track, and remembers what ends it. */
function play(connection) {
  peer = connection;
  // Mainsail takes each track, whatever it is of.
  connection.ontrack = ({ streams }) => (document.querySelector("video").srcObject = streams[0]);
  connection.oniceconnectionstatechange = () => {
    if (["failed", "disconnected"].includes(connection.iceConnectionState)) fail(connection.iceConnectionState);
  };
}

function fail(reason) {
  watched.failure ??= String(reason);
}

/** Ends it, as a page that is left does: without a word to the server. */
function stopWatching() {
  peer?.close();
  peer = null;
  watched.asked = [];
}

/** "WebRTC (camera-streamer)": `extra` is what Mainsail says besides, and Fluidd does not. */
async function watchCameraStreamer(url, extra) {
  const post = (message) => {
    const headers = { "Content-Type": "application/json" };
    return ask(url, { method: "POST", headers, body: JSON.stringify(message) }, 200);
  };
  const offer = await (await post({ type: "request", ...extra })).json();
  const connection = new RTCPeerConnection({
    sdpSemantics: "unified-plan",
    ...(offer.iceServers && { iceServers: offer.iceServers }),
  });
  play(connection);
  connection.addTransceiver("video", { direction: "recvonly" });
  // They go as they come, also before the answer.
  connection.onicecandidate = ({ candidate }) =>
    candidate && post({ type: "remote_candidate", id: offer.id, candidates: [candidate] }).catch(fail);
  await connection.setRemoteDescription(offer);
  await connection.setLocalDescription(await connection.createAnswer());
  const { type, sdp } = connection.localDescription;
  await (await post({ type, id: offer.id, sdp })).json();
}

/** Reads servers of ICE out of a `Link`. */
function iceServers(links) {
  return (links?.split(", ") ?? []).map((link) => ({ urls: [link.match(/^<(.+?)>; rel="ice-server"/i)[1]] }));
}

/** What is trickled: the candidates of each section of the offer that has some. */
function fragment(offer, candidates) {
  const lines = offer.split("\r\n");
  const first = (name) => lines.find((line) => line.startsWith(name));
  let text = `${first("a=ice-ufrag:")}\r\n${first("a=ice-pwd:")}\r\n`;
  lines.filter((line) => line.startsWith("m=")).forEach((media, index) => {
    const own = candidates.filter(({ sdpMLineIndex }) => sdpMLineIndex === index);
    if (own.length === 0) return;
    text += `${media}\r\na=mid:${index}\r\n${own.map(({ candidate }) => `a=${candidate}\r\n`).join("")}`;
  });
  return text;
}

/**
 * "WebRTC (MediaMTX)": both put `whep` behind the URL. Mainsail (`tagged`) offers to send, too, and audio; it takes the
 * last word of `Location` for the session, and sends its tag. Fluidd reads `Location` from where the URL is, and sends
 * `*`.
 */
async function watchMediaMtx(base, tagged) {
  const there = new URL(base.endsWith("/") ? base : `${base}/`, document.baseURI);
  const url = new URL("whep", there).toString();
  const options = await ask(url, { method: "OPTIONS" }, 204);
  const connection = new RTCPeerConnection({
    iceServers: iceServers(options.headers.get("Link")),
    sdpSemantics: "unified-plan",
  });
  play(connection);
  for (const kind of tagged ? ["video", "audio"] : ["video"]) {
    connection.addTransceiver(kind, { direction: tagged ? "sendrecv" : "recvonly" });
  }
  const waiting = [];
  let trickle = (candidates) => waiting.push(...candidates);
  connection.onicecandidate = ({ candidate }) => candidate && trickle([candidate]);
  const offer = await connection.createOffer();
  // Mainsail gathers when the answer is there, Fluidd at once.
  if (!tagged) await connection.setLocalDescription(offer);
  const headers = { "Content-Type": "application/sdp" };
  const response = await ask(url, { method: "POST", headers, body: offer.sdp }, 201);
  const place = response.headers.get("Location");
  const session = tagged ? `${url}/${place.slice(place.lastIndexOf("/") + 1)}` : new URL(place, there).toString();
  const match = tagged ? response.headers.get("ETag") : "*";
  const type = "application/trickle-ice-sdpfrag";
  trickle = (candidates) => {
    const patch = { "Content-Type": type, "If-Match": match };
    const body = fragment(offer.sdp, candidates);
    return ask(session, { method: "PATCH", headers: patch, body }, 204).catch(fail);
  };
  if (tagged) await connection.setLocalDescription(offer);
  await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
  if (waiting.length) trickle(waiting.splice(0));
}
