// A camera with npm's `ws`: sends each file that stdin names, a line each, and says what it hears.
// Usage: node ws_camera.js URL [PROTOCOL]
const { readFileSync } = require("fs");
const { createInterface } = require("readline");
const WebSocket = require("ws");

const [url, protocol] = process.argv.slice(2);
const socket = protocol ? new WebSocket(url, protocol) : new WebSocket(url);
socket.on("open", () => {
  console.log(`open ${socket.protocol}`);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (path) => socket.send(readFileSync(path)));
  lines.on("close", () => socket.close(1000));
});
socket.on("message", (data) => console.log(`heard ${data}`));
socket.on("error", (error) => console.log(`error ${error.message}`));
socket.on("close", (code) => console.log(`close ${code}`));
