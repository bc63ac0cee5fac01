import type {
	AccessGrant,
	DirectoryListing,
	PtyCreated,
	PtySize,
	RunStarted,
	WorkspaceCommand,
	WorkspaceEvent,
	WorkspaceState,
} from "@repldock/protocol";
import { accessSubprotocolPrefix, socketSubprotocol } from "@repldock/protocol/constants";
import { WebSocket } from "ws";
import { PtyClient } from "./pty-client.ts";
import { ApiError, type SiteClient } from "./site-client.ts";
import { eventually } from "./wait.ts";

/** One project through its node's gateway, as a program or a page drives it. */
export class WorkspaceClient {
	readonly projectId: string;
	readonly gatewayUrl: string;
	readonly token: string;
	private readonly origin: string;
	private events: WebSocket | undefined;
	private latest: WorkspaceState | undefined;
	readonly received: WorkspaceEvent[] = [];
	readonly binary: Buffer[] = [];

	private constructor(projectId: string, gatewayUrl: string, token: string, origin: string) {
		this.projectId = projectId;
		this.gatewayUrl = gatewayUrl;
		this.token = token;
		this.origin = origin;
	}

	/** Ticket from the site, access token from the node. */
	static async open(site: SiteClient, projectId: string): Promise<WorkspaceClient> {
		const grant = await site.ticket(projectId);
		const response = await fetch(`${grant.gatewayUrl}/access`, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({ ticket: grant.ticket }),
		});
		if (!response.ok) throw await problemOf(response);
		const access = (await response.json()) as AccessGrant;
		return new WorkspaceClient(projectId, grant.gatewayUrl, access.token, site.siteUrl);
	}

	/** Opens the events socket and keeps the last state. */
	async connect(): Promise<this> {
		const socket = this.socket("/events");
		this.events = socket;
		socket.on("message", (data, isBinary) => {
			if (isBinary) {
				this.binary.push(data as Buffer);
				return;
			}
			const event = JSON.parse(String(data)) as WorkspaceEvent;
			this.received.push(event);
			if (event.type === "state") this.latest = event.state;
		});
		await new Promise<void>((resolve, reject) => {
			socket.once("open", () => resolve());
			socket.once("error", reject);
		});
		await eventually("the first state", () => this.latest);
		return this;
	}

	get state(): WorkspaceState {
		if (!this.latest) throw new Error("connect() first");
		return this.latest;
	}

	send(command: WorkspaceCommand): void {
		this.events?.send(JSON.stringify(command));
	}

	sendFrame(frame: Uint8Array): void {
		this.events?.send(frame);
	}

	socket(path: string): WebSocket {
		const url = `${this.gatewayUrl.replace(/^http/, "ws")}/projects/${this.projectId}${path}`;
		return new WebSocket(url, [socketSubprotocol, `${accessSubprotocolPrefix}${this.token}`], {
			origin: this.origin,
			perMessageDeflate: false,
		});
	}

	async request(
		method: string,
		path: string,
		body?: string | Uint8Array<ArrayBuffer>,
		type?: string,
	): Promise<Response> {
		const response = await fetch(`${this.gatewayUrl}/projects/${this.projectId}${path}`, {
			method,
			headers: { authorization: `Bearer ${this.token}`, ...(type ? { "content-type": type } : {}) },
			...(body === undefined ? {} : { body }),
		});
		if (!response.ok) throw await problemOf(response);
		return response;
	}

	private async json<T>(method: string, path: string, body?: unknown): Promise<T> {
		const response = await this.request(
			method,
			path,
			body === undefined ? undefined : JSON.stringify(body),
			body === undefined ? undefined : "application/json",
		);
		const text = await response.text();
		return (text ? JSON.parse(text) : undefined) as T;
	}

	list(path = ""): Promise<DirectoryListing> {
		return this.json("GET", `/files?path=${encodeURIComponent(path)}`);
	}

	async read(path: string): Promise<string> {
		return (await this.request("GET", `/files/content?path=${encodeURIComponent(path)}`)).text();
	}

	async write(path: string, content: string | Uint8Array<ArrayBuffer>): Promise<void> {
		await this.request("PUT", `/files/content?path=${encodeURIComponent(path)}`, content, "application/octet-stream");
	}

	makeDirectory(path: string): Promise<unknown> {
		return this.json("POST", "/files/directory", { path });
	}

	move(from: string, to: string): Promise<unknown> {
		return this.json("POST", "/files/move", { from, to });
	}

	async remove(path: string): Promise<void> {
		await this.request("DELETE", `/files?path=${encodeURIComponent(path)}`);
	}

	currentState(): Promise<WorkspaceState> {
		return this.json("GET", "/state");
	}

	run(file?: string): Promise<RunStarted> {
		return this.json("POST", "/run", file === undefined ? {} : { file });
	}

	async stop(): Promise<void> {
		await this.json("POST", "/stop");
	}

	async openTerminal(size: PtySize = { columns: 80, rows: 24 }): Promise<PtyClient> {
		const { ptyId } = await this.json<PtyCreated>("POST", "/terminals", size);
		return this.attach(ptyId);
	}

	/** Attaches to a PTY; `after` resumes behind that offset. */
	attach(ptyId: string, after?: number): Promise<PtyClient> {
		return PtyClient.attach(this.socket(`/ptys/${ptyId}${after === undefined ? "" : `?after=${after}`}`), ptyId);
	}

	/** Runs the project (or one file) to its end and gives what the console printed from then on. */
	async runToEnd(
		options: { file?: string; input?: string; timeoutMs?: number } = {},
	): Promise<{ output: string; exitCode: number }> {
		const terminal = await this.attach("console");
		try {
			const from = terminal.text.length;
			const before = terminal.runs;
			await this.run(options.file);
			if (options.input !== undefined) terminal.type(options.input);
			await eventually(
				"the end of the run",
				() => terminal.runs > before && terminal.state?.exitCode !== null,
				options.timeoutMs ?? 60_000,
			);
			return { output: terminal.text.slice(from), exitCode: terminal.state?.exitCode ?? -1 };
		} finally {
			terminal.close();
		}
	}

	close(): void {
		this.events?.terminate();
	}
}

async function problemOf(response: Response): Promise<ApiError> {
	const text = await response.text();
	const problem = text.startsWith("{") ? (JSON.parse(text) as { code?: string; detail?: string }) : {};
	return new ApiError(response.status, problem.code ?? "none", problem.detail ?? text.slice(0, 300));
}
