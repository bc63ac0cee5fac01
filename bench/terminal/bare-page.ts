import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { WebSocketServer } from "ws";

/** How the terminal looks, so that both draw the same. */
export interface Look {
	columns: number;
	rows: number;
	/** As CSS says it. */
	fontFamily: string;
	fontSize: number;
	lineHeight: number;
	scrollback: number;
}

export interface BarePage {
	url: string;
	close(): void;
}

/**
 * The leanest terminal in a browser that there is: xterm.js of the version that the site ships, a WebSocket, and bash on
 * a PTY of this machine (by util-linux' `script`), without any flow control.
 */
export async function serveBarePage(look: Look): Promise<BarePage> {
	const files = xtermFiles();
	const server = createServer((request, response) => {
		const file = files[request.url ?? ""];
		response.setHeader("content-type", file ? file.type : "text/html; charset=utf-8");
		response.end(file ? file.content : page(look));
	});
	const sockets = new WebSocketServer({ server, perMessageDeflate: false });
	sockets.on("connection", (socket) => {
		const shell = spawn("script", ["-qfc", "bash --norc", "/dev/null"], {
			stdio: ["pipe", "pipe", "ignore"],
			env: { ...process.env, TERM: "xterm-256color", PS1: "$ " },
		});
		shell.stdout.on("data", (bytes: Buffer) => socket.send(bytes));
		shell.stdin.write(`stty rows ${look.rows} columns ${look.columns}\n`);
		socket.on("message", (bytes: Buffer) => shell.stdin.write(bytes));
		socket.on("close", () => shell.kill());
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (!address || typeof address !== "object") throw new Error("the bare page has no port");
	return {
		url: `http://127.0.0.1:${address.port}/`,
		close() {
			for (const socket of sockets.clients) socket.terminate();
			sockets.close();
			server.close();
			server.closeAllConnections();
		},
	};
}

function xtermFiles(): Record<string, { type: string; content: Buffer } | undefined> {
	const site = createRequire(new URL("../../apps/site/package.json", import.meta.url));
	const directory = dirname(site.resolve("@xterm/xterm/package.json"));
	return {
		"/xterm.js": { type: "text/javascript", content: readFileSync(join(directory, "lib/xterm.js")) },
		"/xterm.css": { type: "text/css", content: readFileSync(join(directory, "css/xterm.css")) },
	};
}

function page({ columns, rows, fontFamily, fontSize, lineHeight, scrollback }: Look): string {
	const options = { cols: columns, rows, fontFamily, fontSize, lineHeight, scrollback };
	return `<!doctype html>
<title>Bare terminal</title>
<link rel="stylesheet" href="/xterm.css">
<div id="terminal"></div>
<script src="/xterm.js"></script>
<script>
	const terminal = new Terminal(${JSON.stringify(options)});
	terminal.open(document.getElementById("terminal"));
	const socket = new WebSocket(location.href.replace("http", "ws"));
	socket.binaryType = "arraybuffer";
	socket.onmessage = ({ data }) => terminal.write(new Uint8Array(data));
	const encoder = new TextEncoder();
	terminal.onData((text) => socket.send(encoder.encode(text)));
	terminal.focus();
</script>
`;
}
