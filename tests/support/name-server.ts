import { createSocket } from "node:dgram";
import { once } from "node:events";

const types = { cname: 5 };
const flags = { answer: 0x8180, noSuchName: 0x8183 };

/** `a.example` as DNS writes it: each label after its length. */
function encodeName(name: string): Buffer {
	const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
	return Buffer.concat([...labels, Buffer.from([0])]);
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
	const labels: string[] = [];
	let at = 12;
	for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
		labels.push(query.subarray(at + 1, at + 1 + length).toString());
		at += length + 1;
	}
	return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/**
 * The DNS of the tests, on a UDP port of 127.0.0.1: `<slug>.proved.example` is an alias for `<slug>.localhost`, and no
 * other name exists.
 */
export async function startNameServer(): Promise<{ address: string; close(): void }> {
	const socket = createSocket("udp4");
	socket.on("message", (query, { port, address }) => {
		const { name, type, end } = readQuestion(query);
		const slug = /^([a-z0-9-]+)\.proved\.example$/.exec(name)?.[1];
		const header = Buffer.alloc(12);
		query.copy(header, 0, 0, 2);
		header.writeUInt16BE(slug === undefined ? flags.noSuchName : flags.answer, 2);
		header.writeUInt16BE(1, 4);
		const question = query.subarray(12, end);
		if (slug === undefined || type !== types.cname)
			return socket.send(Buffer.concat([header, question]), port, address);
		header.writeUInt16BE(1, 6);
		const target = encodeName(`${slug}.localhost`);
		const record = Buffer.alloc(12);
		// The name of the question (a pointer to it), type, class IN, one second, length.
		record.writeUInt16BE(0xc00c, 0);
		record.writeUInt16BE(types.cname, 2);
		record.writeUInt16BE(1, 4);
		record.writeUInt32BE(1, 6);
		record.writeUInt16BE(target.length, 10);
		socket.send(Buffer.concat([header, question, record, target]), port, address);
	});
	socket.bind(0, "127.0.0.1");
	await once(socket, "listening");
	return { address: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}
