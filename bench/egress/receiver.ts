import { createServer } from "node:net";

/*
 * The bench's internet: takes what containers send and counts it by the number that each connection begins with. For each
 * line on standard input it prints all counts as one line of JSON.
 */
const [address = "", port = ""] = process.argv.slice(2);
const numberLength = 8;
const counts: Record<string, number> = {};

createServer((socket) => {
	let name = "";
	socket.on("data", (part) => {
		const rest = name.length < numberLength ? numberLength - name.length : 0;
		if (rest > 0) name += part.toString("latin1", 0, rest);
		if (name.length === numberLength) counts[name] = (counts[name] ?? 0) + part.length;
	});
	socket.on("error", () => undefined);
}).listen(Number(port), address, 1024, () => process.stdout.write("{}\n"));

process.stdin.on("data", () => process.stdout.write(`${JSON.stringify(counts)}\n`));
