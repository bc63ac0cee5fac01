import { randomBytes, randomInt } from "node:crypto";
import { runCommand } from "@repldock/service";

/** Somebody on another machine: a network namespace, joined to this one by a cable of its own. */
export interface Visitor {
	/** The address of this machine that the visitor knows. */
	address: string;
	/** One request; `error` is the code of a connection that failed. */
	visit(port: number, host: string): Promise<{ status?: number; body?: string; error?: string }>;
	release(): Promise<void>;
}

const script = `
const [address, port, host] = process.argv.slice(1);
const { request } = require("node:http");
const say = (outcome) => console.log(JSON.stringify(outcome));
request({ host: address, port, headers: { host } }, async (response) => {
	let body = "";
	for await (const chunk of response) body += chunk;
	say({ status: response.statusCode, body });
}).on("error", (error) => say({ error: error.code })).end();`;

export async function createVisitor(): Promise<Visitor> {
	const name = `rdv${randomBytes(3).toString("hex")}`;
	const network = `198.18.${randomInt(1, 255)}`;
	const address = `${network}.2`;
	const ip = (...words: string[]) => runCommand("ip", words);

	async function release() {
		// The cable's other end goes with it.
		await ip("link", "delete", name).catch(() => undefined);
		await ip("netns", "delete", name).catch(() => undefined);
	}

	try {
		await ip("netns", "add", name);
		await ip("link", "add", name, "type", "veth", "peer", "name", "cable", "netns", name);
		await ip("address", "add", `${address}/24`, "dev", name);
		await ip("link", "set", name, "up");
		await ip("-n", name, "address", "add", `${network}.9/24`, "dev", "cable");
		await ip("-n", name, "link", "set", "cable", "up");
	} catch (error) {
		await release();
		throw error;
	}

	return {
		address,
		async visit(port, host) {
			const node = [process.execPath, "--eval", script, address, String(port), host];
			return JSON.parse(await runCommand("nsenter", [`--net=/run/netns/${name}`, ...node])) as { status?: number };
		},
		release,
	};
}
