import { connect as tlsConnect } from "node:tls";
import type { Route } from "@repldock/protocol";
import { type KeyPairPem, makeAuthority, makeSelfSigned, signLeaf } from "../../src/certificates/make.ts";
import { type Certificate, readCertificate } from "../../src/certificates/read.ts";
import { route, startEdge, type TestEdge } from "./support.ts";
import { askHttp2, type Http2Answer, reflect } from "./visitors.ts";

interface Handshake {
	names: string;
	trusted: boolean;
}

/** An edge that speaks TLS, and an authority that its visitors trust. */
export interface TlsEdge {
	edge: TestEdge;
	authority: KeyPairPem;
	issue(...names: string[]): Promise<Certificate>;
	/** Shakes hands and tells whose certificate was shown. */
	handshake(servername: string | undefined): Promise<Handshake>;
	/** One request by HTTP/2 over TLS, over a connection of its own. */
	ask(host: string, headers?: Record<string, string>, body?: Buffer, authorityName?: string): Promise<Http2Answer>;
	/** A route to an app that answers with what it saw. */
	app(slug: string, domains?: string[], visibility?: "public" | "private"): Promise<Route>;
}

/** Starts one for `apps.test` with redirect and HSTS; the agent's only good token is `right`. */
export async function startTlsEdge(): Promise<TlsEdge> {
	const authority = await makeAuthority("Test authority");
	const edge = await startEdge("apps.test", {
		tls: {
			fallback: await makeSelfSigned("fallback.invalid"),
			redirect: true,
			hstsSeconds: 3600,
		},
	});
	await edge.service("site", reflect);
	await edge.service("agent", (incoming, response) => {
		if (!incoming.url?.startsWith("/edge/")) return reflect(incoming, response);
		response.writeHead(incoming.headers["x-repldock-access"] === "right" ? 204 : 403).end();
	});

	const issue = async (...names: string[]) => readCertificate(await signLeaf(authority, names));

	function handshake(servername: string | undefined): Promise<Handshake> {
		return new Promise((resolve, reject) => {
			const socket = tlsConnect(
				{
					host: "127.0.0.1",
					port: edge.httpsPort,
					ca: authority.certificate,
					rejectUnauthorized: false,
					...(servername === undefined ? {} : { servername }),
				},
				() => {
					resolve({ names: socket.getPeerCertificate().subjectaltname ?? "", trusted: socket.authorized });
					socket.destroy();
				},
			);
			socket.on("error", reject);
		});
	}

	const ask: TlsEdge["ask"] = (host, headers, body, authorityName = `${host}:${edge.httpsPort}`) =>
		askHttp2({ address: "127.0.0.1", port: edge.httpsPort, ca: authority.certificate }, host, {
			headers: { ":authority": authorityName, ...headers },
			body,
		});

	async function app(slug: string, domains: string[] = [], visibility: "public" | "private" = "public") {
		const { address, port } = await edge.container(reflect);
		return route(slug, { address, ports: [port], mainPort: port, domains, visibility });
	}
	return { edge, authority, issue, handshake, ask, app };
}
