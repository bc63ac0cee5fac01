import { createServer } from "node:net";

/* Measures small round trips to the first container that connects, and prints their milliseconds as one line of JSON. */
const [address = "", port = "", count = ""] = process.argv.slice(2);
const everyMs = 10;
const times: number[] = [];

createServer({ noDelay: true }, (socket) => {
	let sentAtMs = 0;
	const send = () => {
		sentAtMs = performance.now();
		socket.write("x".repeat(64));
	};
	socket.on("data", () => {
		times.push(performance.now() - sentAtMs);
		if (times.length < Number(count)) setTimeout(send, everyMs);
		else process.stdout.write(`${JSON.stringify(times)}\n`);
	});
	socket.on("error", () => undefined);
	send();
}).listen(Number(port), address, () => process.stdout.write("[]\n"));
