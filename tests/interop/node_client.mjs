// Reads a conversation as JSON from the standard input, holds it, and writes what came of it to the standard output.

import { text } from "node:stream/consumers";
import WebSocket from "ws";

const { url, subprotocol, messages, close } = JSON.parse(await text(process.stdin));
const echoes = [];
const socket = new WebSocket(url, subprotocol);

socket.on("open", () => {
  for (const { text, binary } of messages) socket.send(text ?? Buffer.from(binary, "base64"));
});

socket.on("message", (data, isBinary) => {
  echoes.push(isBinary ? { binary: data.toString("base64") } : { text: data.toString() });
  if (close && echoes.length === messages.length) socket.close(...close);
});

socket.on("close", (closeCode) => {
  process.stdout.write(JSON.stringify({ subprotocol: socket.protocol, echoes, closeCode }));
});
