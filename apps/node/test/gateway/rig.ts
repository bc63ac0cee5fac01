import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type {
	AccessGrant,
	ContainerState,
	DesiredPlacement,
	PtyState,
	TicketClaims,
	VisitBatch,
	VisitQuestion,
	VisitTicketClaims,
	WorkspaceEvent,
} from "@repldock/protocol";
import { openNetwork } from "@repldock/protocol";
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from "jose";
import { WebSocket } from "ws";
import { createGateway, type Gateway } from "../../src/gateway/gateway.ts";
import type { StartMessage, WriteMessage } from "../../src/holder/messages.ts";
import { openProjectFiles } from "../../src/host/files/project-files.ts";
import { openStaging } from "../../src/host/files/staging.ts";
import { walkTree } from "../../src/host/files/walk.ts";
import type { ListeningPort } from "../../src/host.ts";
import { createRequestLog } from "../../src/requests/request-log.ts";
import type { WakeOutcome } from "../../src/sleep/wakes.ts";
import type { TrafficNews } from "../../src/traffic/traffic.ts";
import { createExports } from "../../src/transfer/exports.ts";
import { createImports } from "../../src/transfer/imports.ts";
import { createTurns, type Turns } from "../../src/transfer/turns.ts";
import type { Versions } from "../../src/versions/versions.ts";
import type { WorkspaceDependencies } from "../../src/workspace/dependencies.ts";
import { createRunner } from "../../src/workspace/runner.ts";
import { createWorkspaces, type Workspaces } from "../../src/workspace/workspaces.ts";
import { log, owner } from "../workspace/rig.ts";

export const siteOrigin = "http://localhost:8080";
const nodeId = randomUUID();

export interface Answer {
	status: number;
	headers: IncomingHttpHeaders;
	body: Buffer;
	json(): unknown;
}

/** A gateway with one project in a temporary folder. Containers and the holder are this test's own words for them. */
export interface GatewayRig {
	root: string;
	projectId: string;
	placement: DesiredPlacement;
	gateway: Gateway;
	workspaces: Workspaces;
	/** What the holder was asked to start and to write. */
	started: StartMessage[];
	written: WriteMessage[];
	ptys: PtyState[];
	listening: ListeningPort[];
	container: { state: ContainerState };
	/** With which tokens are signed. */
	accessSecret: Uint8Array;
	/** What the agent answers when the edge asks it to wake the project. */
	wakeOutcome: WakeOutcome;
	/** Whose personal tokens the site knows, and what it was asked. */
	personalTokens: Map<string, { id: string; name: string }>;
	questions: VisitQuestion[];
	/** A visit ticket, to this rig's project unless said otherwise. */
	visitTicket(change?: Partial<VisitTicketClaims>, signWith?: CryptoKey): Promise<string>;
	ticket(change?: Partial<TicketClaims>, signWith?: CryptoKey): Promise<string>;
	/** Exchanges a ticket for an access token. */
	enter(change?: Partial<TicketClaims>): Promise<string>;
	ask(
		method: string,
		path: string,
		options?: { token?: string; body?: string | Buffer | Readable; headers?: Record<string, string> },
	): Promise<Answer>;
	/** The socket itself, as the edge has it. */
	connect(): Socket;
	/** `path` under the project, with an editor's token. */
	project(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
	/** Who follows a project's traffic, through the gateway. */
	trafficFollowers: Map<string, (news: TrafficNews) => void>;
	/** What the edge tells next of visitors. */
	visited(batch: VisitBatch): void;
	socket(token: string, headers?: Record<string, string>): WebSocket;
	release(): Promise<void>;
}

/** @param parts the project's folder and id, and its versions, where a test has real ones. */
export async function startGatewayRig(
	parts: { root?: string; projectId?: string; versions?(workspaces: Workspaces, turns: Turns): Versions } = {},
): Promise<GatewayRig> {
	const base = await mkdtemp(join(tmpdir(), "repldock-gateway-"));
	const root = parts.root ?? join(base, "project");
	if (parts.root === undefined) await mkdir(root);
	const turns = createTurns();
	const { privateKey, publicKey } = await generateKeyPair("EdDSA");
	const { x = "" } = await exportJWK(publicKey);
	const projectId: string = parts.projectId ?? randomUUID();
	const placement: DesiredPlacement = {
		projectId,
		generation: 1,
		want: "running",
		wantVersion: 1,
		domains: [],
		slug: "my-app",
		owner: { id: "u1", name: "Ada" },
		template: "python",
		visibility: "private",
		stored: false,
		rightsVersion: 3,
		limits: { memoryBytes: 1, cpus: 1, pids: 1, diskBytes: 1024 * 1024 },
		network: openNetwork,
		alwaysOn: false,
	};
	const placements = new Map([[projectId, placement]]);
	const started: StartMessage[] = [];
	const written: WriteMessage[] = [];
	const ptys: PtyState[] = [];
	const listening: ListeningPort[] = [];
	const container: GatewayRig["container"] = { state: "stopped" };
	const running = { containerId: "c".repeat(64), pid: process.pid, slug: "my-app" };
	const dependencies: WorkspaceDependencies = {
		log,
		documentsDirectory: join(base, "documents"),
		apps: { scheme: "http", domain: "localhost", port: "8080" },
		toolchainEnvironment: { PATH: "/usr/bin:/bin", PYTHONUSERBASE: "${REPL_HOME}/.pythonlibs" },
		placement: (id) => placements.get(id),
		openFiles: async () => openProjectFiles(root, owner),
		durability: () => ({ upTo: null, problem: null }),
		diskUsage: async () => ({ usedBytes: 4096, limitBytes: placement.limits.diskBytes }),
		containerState: () => ({ state: container.state, problem: null }),
		container: () => (container.state === "running" ? running : undefined),
		async ensureRunning(id) {
			container.state = "running";
			workspaces.refresh(id);
			return running;
		},
		readListeningPorts: async () => [...listening],
		exposeLocalhost: async () => undefined,
		holder: {
			async start(message) {
				started.push(message);
			},
			stop: async () => undefined,
			remove: async () => undefined,
			async write(message) {
				written.push(message);
			},
			ptys: () => ptys,
		},
		onPorts: () => undefined,
		onOpened: () => undefined,
	};
	const workspaces = createWorkspaces(dependencies);
	const accessSecret = randomBytes(32);
	const personalTokens = new Map<string, { id: string; name: string }>();
	const questions: VisitQuestion[] = [];
	const batches: VisitBatch[] = [];
	let wake = () => {};
	const requestLog = createRequestLog({
		edge: {
			counters: async () => ({ epoch: "1", projects: {} }),
			async nextVisits(signal) {
				const batch = batches.shift();
				if (batch) return batch;
				await new Promise<void>((resolve, reject) => {
					wake = resolve;
					signal.addEventListener("abort", () => reject(new Error("over")), { once: true });
				});
				return { epoch: "1", records: [], unrecorded: {} };
			},
		},
		directory: join(base, "requests"),
		addressesForMs: 60_000,
		log,
	});
	const versions = parts.versions?.(workspaces, turns) ?? noVersions;
	const exports = createExports({
		freeze: async (id, version, reader) =>
			version !== undefined
				? versions.freeze(id, version, reader)
				: { walk: (skips) => walkTree(root, skips), release: async () => undefined },
		describe: () => ({ name: placement.slug, diskBytes: placement.limits.diskBytes }),
		log,
	});
	const ended = new AbortController();
	void requestLog.run(ended.signal);
	const gateway = createGateway({
		log,
		accessSecret,
		nodeId: () => nodeId,
		ticketKeys: () => [{ kid: "k1", kty: "OKP", crv: "Ed25519", x }],
		siteOrigins: () => [siteOrigin],
		findPlacement: (id) => placements.get(id),
		async waitForPlacement(id) {
			const found = placements.get(id);
			if (!found) throw new Error("no placement");
			return found;
		},
		async visitorByToken(question) {
			questions.push(question);
			return personalTokens.get(question.token) ?? null;
		},
		lookUpSlug: async () => "unknown",
		workspaces,
		runner: createRunner(dependencies, workspaces),
		wakes: { wake: async () => rig.wakeOutcome },
		wakeTimeoutMs: 60_000,
		requests: requestLog,
		traffic: {
			follow(id, send) {
				rig.trafficFollowers.set(id, send);
				return () => rig.trafficFollowers.delete(id);
			},
			metrics: () => [],
		},
		metrics: async () => [],
		metricsToken: "metrics-token",
		exports,
		imports: createImports({
			workspaces,
			stage: () => openStaging(root, owner),
			run: async () => ({ exitCode: 127, output: "" }),
			spoolDirectory: base,
			turns,
			log,
		}),
		versions,
	});
	const server = createServer();
	gateway.attach(server);
	const socketPath = join(base, "agent.sock");
	await new Promise<void>((resolve) => server.listen(socketPath, resolve));
	const sockets: WebSocket[] = [];

	const rig: GatewayRig = {
		root,
		projectId,
		placement,
		gateway,
		workspaces,
		started,
		written,
		ptys,
		listening,
		container,
		accessSecret,
		wakeOutcome: { kind: "awake" },
		personalTokens,
		questions,
		trafficFollowers: new Map(),

		visitTicket(change = {}, signWith = privateKey) {
			const now = Math.floor(Date.now() / 1000);
			const claims: VisitTicketClaims = {
				iss: "repldock",
				aud: "repldock-visit",
				jti: randomUUID(),
				sub: "u1",
				name: "Ada",
				visit: projectId,
				host: "my-app.localhost:8080",
				state: "s".repeat(22),
				rightsVersion: 3,
				iat: now,
				exp: now + 60,
				...change,
			};
			return new SignJWT({ ...claims }).setProtectedHeader({ alg: "EdDSA", kid: "k1" }).sign(signWith);
		},

		ticket(change = {}, signWith = privateKey) {
			const now = Math.floor(Date.now() / 1000);
			const claims: TicketClaims = {
				iss: "repldock",
				aud: nodeId,
				sub: "u1",
				name: "Ada",
				projectId,
				rights: "edit",
				rightsVersion: 3,
				wantVersion: 1,
				iat: now,
				exp: now + 60,
				...change,
			};
			return new SignJWT({ ...claims }).setProtectedHeader({ alg: "EdDSA", kid: "k1" }).sign(signWith);
		},

		async enter(change) {
			const answer = await rig.ask("POST", "/access", { body: JSON.stringify({ ticket: await rig.ticket(change) }) });
			if (answer.status !== 200) throw new Error(answer.body.toString());
			return (answer.json() as AccessGrant).token;
		},

		ask(method, path, options = {}) {
			return new Promise((resolve, reject) => {
				const authorization = options.token ? { authorization: `Bearer ${options.token}` } : {};
				const outgoing = request(
					{ socketPath, method, path, headers: { ...authorization, ...options.headers }, agent: false },
					async (response) => {
						const parts: Buffer[] = [];
						try {
							for await (const part of response) parts.push(part as Buffer);
						} catch (error) {
							return reject(error);
						}
						const body = Buffer.concat(parts);
						resolve({
							status: response.statusCode ?? 0,
							headers: response.headers,
							body,
							json: () => JSON.parse(body.toString()),
						});
					},
				);
				outgoing.on("error", reject);
				const { body } = options;
				if (typeof body === "object" && "pipe" in body) {
					body.pipe(outgoing);
					body.on("close", () => body.readableEnded || outgoing.destroy(new Error("the upload broke off")));
				} else outgoing.end(body);
			});
		},

		connect: () => connect(socketPath),

		async project(method, path, body, headers) {
			const token = await rig.enter();
			const raw = body === undefined || typeof body === "string" || Buffer.isBuffer(body);
			const sent = raw ? body : JSON.stringify(body);
			return rig.ask(method, `/projects/${projectId}${path}`, {
				token,
				...(sent === undefined ? {} : { body: sent as string | Buffer }),
				...(headers ? { headers } : {}),
			});
		},

		visited(batch) {
			batches.push(batch);
			wake();
		},

		socket(token, headers = {}) {
			const socket = new WebSocket(
				`ws+unix:${socketPath}:/projects/${projectId}/events`,
				["repldock", `access.${token}`],
				{ headers },
			);
			sockets.push(socket);
			return socket;
		},

		async release() {
			for (const socket of sockets) socket.terminate();
			gateway.close();
			ended.abort();
			await exports.close();
			await workspaces.close();
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
			await rm(base, { recursive: true, force: true });
		},
	};
	return rig;
}

/** A project on a file system without snapshots has none. */
const noVersions = new Proxy({} as Versions, {
	get: () => () => Promise.reject(new Error("this rig has no versions")),
});

/** Settles with the first event from now on that passes. */
export function nextEvent<T extends WorkspaceEvent["type"]>(
	socket: WebSocket,
	type: T,
	passes: (event: Extract<WorkspaceEvent, { type: T }>) => boolean = () => true,
): Promise<Extract<WorkspaceEvent, { type: T }>> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`waited too long for ${type}`)), 40_000);
		const receive = (data: Buffer, isBinary: boolean) => {
			if (isBinary) return;
			const event = JSON.parse(data.toString()) as Extract<WorkspaceEvent, { type: T }>;
			if (event.type !== type || !passes(event)) return;
			clearTimeout(timer);
			socket.off("message", receive);
			resolve(event);
		};
		socket.on("message", receive);
	});
}

/** The code with which the other side closes the socket, or the status with which it refuses it. */
export function ending(socket: WebSocket): Promise<number> {
	return new Promise((resolve) => {
		socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
		socket.on("close", (code) => resolve(code));
		socket.on("error", () => undefined);
	});
}
