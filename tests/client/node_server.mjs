// An echo server, as foreign_servers.py describes it. It writes its port, then the close code of each connection.
// Its argument is more of what it says of compression.

import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(new URL("../interop/package.json", import.meta.url))("ws");
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: { threshold: 0, ...JSON.parse(process.argv[2] ?? "{}") },
  handleProtocols: (protocols) => (protocols.has("echo") ? "echo" : false),
});

server.on("listening", () => say({ port: server.address().port }));

server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => {
    if (!isBinary && data.toString() === "close now") socket.close(4002, "goodbye");
    else socket.send(data, { binary: isBinary });
  });
  socket.on("close", (closeCode) => say({ closeCode }));
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
