import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { dropUnreadBody, openBody } from "../../src/gateway/request-body.ts";

/** A client that has sent the head of a large upload to this server. */
async function upload(answer: RequestListener): Promise<Socket> {
	const server = createServer(answer).listen(0, "127.0.0.1");
	onTestFinished(() => void server.close());
	await once(server, "listening");
	const client = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => undefined);
	onTestFinished(() => void client.destroy());
	client.resume();
	client.write("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
	return client;
}

test("one who never ends what nobody wants is sent away", async () => {
	const client = await upload((request, response) => {
		response.once("finish", () => dropUnreadBody(request, 200));
		response.end("no");
	});
	const sending = setInterval(() => client.write("x".repeat(1000)), 20);
	onTestFinished(() => clearInterval(sending));
	await once(client, "close");
	expect(client.bytesWritten).toBeLessThan(1_000_000);
});

test("a body whose sender went away before it was read breaks off, and so does one that is being read", async () => {
	const early = await new Promise<unknown>((resolve) => {
		void upload((request) => {
			request.socket.destroy();
			request.once("close", () => resolve(buffer(openBody(request)).catch((error: unknown) => error)));
		});
	});
	expect(early).toBeInstanceOf(Error);
	const late = await new Promise<unknown>((resolve) => {
		void upload((request) => {
			const body = openBody(request);
			body.once("data", () => request.socket.destroy());
			resolve(buffer(body).catch((error: unknown) => error));
		}).then((client) => client.write("x"));
	});
	expect(late).toBeInstanceOf(Error);
});
