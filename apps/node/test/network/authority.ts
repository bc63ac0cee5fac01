import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readQuestion, recordType } from "../../src/network/filter/dns-message.ts";

/** The DNS of the world for these tests, on a UDP port of 127.0.0.1: whatever name has the address that `addressOf` says. */
export async function startAuthority(addressOf: (name: string) => string | null) {
	const asked: string[] = [];
	const socket = createSocket("udp4");
	socket.on("message", (query, from) => {
		const question = readQuestion(query);
		if (!question) return;
		asked.push(question.name);
		const address = question.type === recordType.a ? addressOf(question.name) : null;
		const head = Buffer.from(query.subarray(0, question.length));
		head.writeUInt16BE(address === null ? 0x8183 : 0x8180, 2);
		head.writeUInt16BE(address === null ? 0 : 1, 6);
		head.writeUInt32BE(0, 8);
		// A pointer to the question's name, type A, class IN, 60 seconds, 4 bytes.
		const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...(address ?? "").split(".").map(Number)]);
		socket.send(address === null ? head : Buffer.concat([head, record]), from.port, from.address);
	});
	socket.bind(0, "127.0.0.1");
	await once(socket, "listening");
	return {
		server: `127.0.0.1#${socket.address().port}`,
		asked,
		close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
	};
}
