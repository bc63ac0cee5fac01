/** A container's program, run in a network namespace: `app-program.ts <address>`; prints the port that it listens on. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { readAll, reflect } from "./visitors.ts";

const server = createServer((incoming, response) => {
	if (incoming.url !== "/size") return reflect(incoming, response);
	readAll(incoming).then((body) => response.end(String(body.length)));
});
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(`${data} back`)));
server.listen(0, process.argv[2], () => console.log((server.address() as AddressInfo).port));
