// A chat room: what one browser sends, all browsers get at once.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { WebSocketServer } from "ws"; // Already there: nothing to install.

const port = Number(process.env.PORT ?? 3000);
const history = []; // Newcomers see the last messages.

const server = createServer((request, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(readFileSync("page.html"));
});

const sockets = new WebSocketServer({ server, path: "/chat", maxPayload: 10_000 });
const sendToAll = (message) => {
  for (const client of sockets.clients) client.send(JSON.stringify(message));
};
const tellCount = () => sendToAll({ type: "people", count: sockets.clients.size });

sockets.on("connection", (socket) => {
  for (const message of history) socket.send(JSON.stringify(message));
  tellCount();

  socket.on("message", (data) => {
    const text = String(data).trim().slice(0, 500);
    if (text === "") return;
    const message = { type: "chat", text, time: new Date() };
    history.push(message);
    if (history.length > 50) history.shift();
    sendToAll(message);
  });
  socket.on("error", (error) => console.error(`A connection broke: ${error.message}`));
  socket.on("close", tellCount);
});

server.listen(port, "0.0.0.0", () => console.log(`Open the page twice and chat. Port ${port}`));

// What next?
//  - Let people choose a name.
//  - Answer by a robot when somebody writes "hello".
