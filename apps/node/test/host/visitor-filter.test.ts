import { runCommand } from "@repldock/service";
import { expect, test } from "vitest";
import { defaultRules, filterScript } from "../../src/host/network-filter.ts";
import { visitorRules } from "../../src/host/visitor-filter.ts";

const filter = {
	bridge: "rdtest",
	subnet: "10.213.0.0/20",
	egress: "closed" as const,
	table: "rd_visitors_test",
	gateway: "10.213.0.1",
	rules: defaultRules,
	reachedBy: [0],
};

/** Opens 30 connections from each of two addresses, ends one, opens one more, and tells how many were taken. */
const program = `
	const net = require("node:net");
	const open = (from) => new Promise((resolve) => {
		const socket = net.connect({ port: 8080, host: "127.0.0.1", localAddress: from });
		socket.on("connect", () => resolve(socket));
		socket.on("error", () => resolve(null));
	});
	const server = net.createServer((socket) => socket.on("end", () => socket.end()).resume()).listen(8080, async () => {
		const counts = [];
		let last;
		for (const from of ["127.0.0.2", "127.0.0.3"]) {
			let taken = 0;
			for (let index = 0; index < 30; index += 1) {
				const socket = await open(from);
				if (socket) { taken += 1; last = socket; }
			}
			counts.push(taken);
		}
		last.end();
		await new Promise((resolve) => last.on("close", resolve));
		let again = null;
		for (let tries = 0; !again && tries < 50; tries += 1) again = await open("127.0.0.3");
		console.log(JSON.stringify([...counts, again !== null]));
		process.exit(0);
	});
`;

test("an address with as many connections as it may have is refused more, another one is not, and ended ones do not count", async () => {
	const script = filterScript({ ...filter, visitors: { ports: "8080, 9000-9100", connections: 20 } });
	const output = await runCommand(
		"unshare",
		["--net", "sh", "-c", 'ip link set lo up && nft -f - && exec "$1" -e "$2"', "sh", process.execPath, program],
		{ input: script },
	);
	expect(JSON.parse(output)).toEqual([20, 20, true]);
});

test("no limit makes no rule, and what are no ports is refused", () => {
	expect(visitorRules({ ports: "8080", connections: 0 })).toBe("");
	expect(() => visitorRules({ ports: "8080 } accept; {", connections: 1 })).toThrow("no ports");
});
