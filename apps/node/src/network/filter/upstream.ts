import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { type Question, readAnswer } from "./dns-message.ts";

/** A little longer than dnsmasq itself asks its servers. */
const answerWithinMs = 5_000;
/** Questions under way at once, all members' together. */
const mostWaiting = 2_000;

export interface Upstream {
	/** @throws Error when no answer to this very question came in time. */
	ask(query: Buffer, question: Question, transport: "udp" | "tcp"): Promise<Buffer>;
}

/** Asks dnsmasq, each question from a port and with a number of its own, so that nobody answers in its place. */
export function createUpstream(server: { address: string; port: number }): Upstream {
	let waiting = 0;
	return {
		async ask(query, question, transport) {
			if (waiting >= mostWaiting) throw new Error("too many questions are under way");
			waiting += 1;
			try {
				const own = Buffer.from(query);
				own.writeUInt16BE(randomInt(65_536), 0);
				const isAnswer = (reply: Buffer) => {
					const told = readAnswer(reply)?.question;
					return told?.id === own.readUInt16BE(0) && told.name === question.name && told.type === question.type;
				};
				const ask = transport === "udp" ? askByDatagram : askByConnection;
				const reply = Buffer.from(await ask(server, own, isAnswer));
				reply.writeUInt16BE(question.id, 0);
				return reply;
			} finally {
				waiting -= 1;
			}
		},
	};
}

type Ask = (
	server: { address: string; port: number },
	query: Buffer,
	isAnswer: (reply: Buffer) => boolean,
) => Promise<Buffer>;

const askByDatagram: Ask = ({ address, port }, query, isAnswer) =>
	new Promise((resolve, reject) => {
		const socket = createSocket("udp4");
		const timer = setTimeout(() => fail(new Error("no answer in time")), answerWithinMs);
		const end = () => {
			clearTimeout(timer);
			socket.close();
		};
		const fail = (error: Error) => {
			end();
			reject(error);
		};
		socket.once("error", fail);
		socket.on("message", (reply) => {
			if (!isAnswer(reply)) return;
			socket.removeAllListeners("error");
			end();
			resolve(reply);
		});
		// Connected: the kernel takes answers from this server alone, and tells at once when nobody listens there.
		socket.connect(port, address, () => socket.send(query));
	});

const askByConnection: Ask = ({ address, port }, query, isAnswer) =>
	new Promise((resolve, reject) => {
		const connection = connect(port, address);
		connection.setTimeout(answerWithinMs, () => connection.destroy(new Error("no answer in time")));
		let received = Buffer.alloc(0);
		connection.once("connect", () => {
			const length = Buffer.alloc(2);
			length.writeUInt16BE(query.length);
			connection.write(Buffer.concat([length, query]));
		});
		connection.on("data", (part) => {
			received = Buffer.concat([received, part]);
			if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
			const reply = received.subarray(2, 2 + received.readUInt16BE(0));
			if (isAnswer(reply)) resolve(reply);
			connection.destroy();
		});
		connection.once("error", reject);
		connection.once("close", () => reject(new Error("no answer")));
	});
