import type { PtyCommand, PtyEvent, PtyState } from "@repldock/protocol";
import { ptyAcknowledgeEveryBytes } from "@repldock/protocol/constants";
import type { WebSocket } from "ws";
import { eventually } from "./wait.ts";

/** A PTY's socket: keeps all output as text, acknowledges it, and counts the runs that began while it watched. */
export class PtyClient {
	readonly ptyId: string;
	private readonly socket: WebSocket;
	private readonly decoder = new TextDecoder();
	private acknowledged = 0;
	text = "";
	offset = 0;
	runs = 0;
	state: PtyState | undefined;
	/** While false, output is received and not acknowledged, as by a page that hangs. */
	acknowledges = true;

	private constructor(socket: WebSocket, ptyId: string) {
		this.socket = socket;
		this.ptyId = ptyId;
		socket.on("message", (data, isBinary) => {
			if (isBinary) this.takeOutput(data as Buffer);
			else this.takeEvent(JSON.parse(String(data)) as PtyEvent);
		});
	}

	static async attach(socket: WebSocket, ptyId: string): Promise<PtyClient> {
		const client = new PtyClient(socket, ptyId);
		await new Promise<void>((resolve, reject) => {
			socket.once("open", () => resolve());
			socket.once("error", reject);
		});
		await eventually("the PTY's greeting", () => client.state);
		return client;
	}

	private takeOutput(data: Buffer) {
		this.text += this.decoder.decode(data, { stream: true });
		this.offset += data.length;
		if (this.acknowledges && this.offset - this.acknowledged >= ptyAcknowledgeEveryBytes) this.acknowledge();
	}

	private takeEvent(event: PtyEvent) {
		if (event.type === "attached") {
			this.offset = event.offset;
			this.acknowledged = event.offset;
			this.state = event.state;
		} else if (event.type === "skipped") {
			this.offset = event.offset;
		} else if (event.type === "state") {
			if (event.state.running && !(this.state?.running && this.state.startedAtMs === event.state.startedAtMs))
				this.runs += 1;
			this.state = event.state;
		}
	}

	acknowledge(): void {
		this.acknowledged = this.offset;
		this.command({ type: "acknowledge", offset: this.offset });
	}

	command(command: PtyCommand): void {
		this.socket.send(JSON.stringify(command));
	}

	/** Types into the program, as the keyboard would. */
	type(text: string): void {
		this.socket.send(Buffer.from(text));
	}

	/** Waits until the output since the last call holds this. @returns what came since then. */
	async expect(pattern: RegExp | string, timeoutMs = 45_000): Promise<string> {
		const found = () => (typeof pattern === "string" ? this.text.includes(pattern) : pattern.test(this.text));
		await eventually(`output ${pattern}, not ${JSON.stringify(this.text.slice(-400))}`, found, timeoutMs);
		const text = this.text;
		this.text = "";
		return text;
	}

	close(): void {
		this.socket.terminate();
	}
}
