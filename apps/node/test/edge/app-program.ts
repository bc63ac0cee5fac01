/** A container's program, run in a network namespace: `app-program.ts <address>`; prints its ports as JSON. */
import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { readAll, reflect } from "./visitors.ts";

/** Event streams that wait for somebody to ask for `/next`. */
const streams: ServerResponse[] = [];

const listener: RequestListener = (incoming, response) => {
	if (incoming.url === "/size") {
		void readAll(incoming).then((body) => response.end(String(body.length)));
	} else if (incoming.url === "/events") {
		response.writeHead(200, { "content-type": "text/event-stream" }).write("data: one\n\n");
		streams.push(response);
	} else if (incoming.url === "/next") {
		for (const stream of streams.splice(0)) stream.end("data: two\n\n");
		response.end();
	} else reflect(incoming, response);
};

const server = createServer(listener);
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(`${data} back`)));

/** Says what it was sent, and in its trailers for whom. */
const grpc = createHttp2Server();
grpc.on("stream", (stream, headers) => {
	stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
	stream.on("wantTrailers", () =>
		stream.sendTrailers({
			"grpc-status": "0",
			visitor: headers["x-forwarded-for"],
			authority: headers[":authority"] ?? headers.host,
		}),
	);
	stream.pipe(stream);
});

const ports = [];
for (const each of [server, grpc]) {
	await once(each.listen(0, process.argv[2]), "listening");
	ports.push((each.address() as AddressInfo).port);
}
console.log(JSON.stringify({ port: ports[0], grpcPort: ports[1] }));
