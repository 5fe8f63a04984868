"use strict";

// What Mainsail and Fluidd do with a camera. Not their code: it was written anew, to ask of a server what they ask, and
// no less. It keeps what it has seen where a test finds it.

const seen = {
  shown: 0, // pictures
  pictures: new Set(), // hashes of these
  broken: 0, // pictures that could not be shown
  ages: [], // seconds from capture until the frame is complete, of a stream
  failure: null, // what ended a stream
};

let stream = null; // the reader of the stream that is open

/** Tells the length that the header of a part gives, its name in any case; -1 without one. */
function lengthIn(header) {
  let length = -1;
  for (const line of header.split("\n")) {
    const [name, value] = line.split(":");
    if (name.toLowerCase() === "content-length") length = Number(value);
  }
  return length;
}

/**
 * Cuts a stream into frames as Mainsail does, and calls `show(jpeg, header)` for each: the boundary does not matter;
 * a frame begins where FF D8 stand together in one chunk, is as long as its header says, and is shown with the first
 * byte behind it.
 */
async function cut(reader, show) {
  let header = "", jpeg = null, filled = 0;
  for (;;) {
    const { done, value: chunk } = await reader.read();
    if (done) return;
    for (let at = 0; at < chunk.length; at++) {
      // Within a frame, too: a thumbnail spoils it. Without a length this throws.
      if (chunk[at] === 0xff && chunk[at + 1] === 0xd8) jpeg = new Uint8Array(lengthIn(header));
      if (jpeg === null) {
        header += String.fromCharCode(chunk[at]);
      } else if (filled < jpeg.length) {
        jpeg[filled++] = chunk[at];
      } else {
        show(jpeg, header);
        [header, jpeg, filled] = ["", null, 0];
      }
    }
  }
}

/** Draws a picture, and remembers it. */
function draw(picture) {
  const canvas = document.querySelector("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  seen.pictures.add(pixels.reduce((hash, pixel) => Math.imul(hash ^ pixel, 0x01000193), 0x811c9dc5)); // FNV-1a
  seen.shown++;
}

/** Draws a frame of a stream. */
async function show(jpeg, header) {
  seen.ages.push(Date.now() / 1000 - Number(/^x-timestamp:(.*)$/im.exec(header)[1]));
  try {
    draw(await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })));
  } catch {
    seen.broken++;
  }
}

/** Mainsail's "MJPEG-Streamer". */
async function watchStream(url) {
  const address = new URL(url, location);
  address.searchParams.append("timestamp", Date.now());
  try {
    const answer = await fetch(address, { mode: "cors" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    stream = answer.body.getReader();
    await cut(stream, show);
  } catch (error) {
    seen.failure = String(error);
  }
}

/** Closes the stream and opens it anew, as Mainsail does every so often. */
async function reopen(url) {
  await stream?.cancel();
  void watchStream(url);
}

/**
 * The adaptive modes: one snapshot after the other, so many a second at most. Mainsail tries again some time after an
 * error, Fluidd (without `retryMs`) never does.
 */
function watchSnapshots(url, { parameter, fps, retryMs }) {
  const address = new URL(url, location);
  const image = new Image();
  image.crossOrigin = "anonymous"; // so that this page may look at the pixels
  let asked = 0;
  const ask = () => {
    address.searchParams.set(parameter, Date.now());
    asked = performance.now();
    image.src = address;
  };
  image.onload = () => {
    draw(image);
    setTimeout(ask, Math.max(0, 1000 / fps - (performance.now() - asked)));
  };
  image.onerror = () => {
    seen.broken++;
    if (retryMs) setTimeout(ask, retryMs);
  };
  ask();
}

/** Fluidd's "MJPEG Streamer". */
function watchImage(url) {
  const address = new URL(url, location);
  address.searchParams.set("cacheBust", Date.now());
  const image = new Image();
  image.crossOrigin = "anonymous";
  image.src = address;
  document.body.append(image);
  const look = () => {
    if (image.naturalWidth) draw(image);
    requestAnimationFrame(look);
  };
  look();
}

/** Cuts chunks, given as strings of bytes, into frames; gives each frame as such a string, or what went wrong. */
async function cutChunks(chunks) {
  const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const frames = [];
  const reader = new ReadableStream({
    start(controller) {
      chunks.forEach((chunk) => controller.enqueue(bytes(chunk)));
      controller.close();
    },
  }).getReader();
  try {
    await cut(reader, (jpeg) => frames.push(String.fromCharCode(...jpeg)));
  } catch (error) {
    frames.push(error.name);
  }
  return frames;
}
