import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { route, startEdge, type TestEdge, workersOf } from "./support.ts";
import { readAll } from "./visitors.ts";

let edge: TestEdge;
let workers: number[];
/** What reached the containers: "<slug> <method> <path> <body>". */
let seen: string[] = [];

beforeAll(async () => {
	edge = await startEdge();
	const routes = [];
	for (const slug of ["shop", "other"]) {
		const app = await edge.container(async (incoming, response) => {
			const { method, url, headers } = incoming;
			const body = await readAll(incoming);
			seen.push(`${slug} ${method} ${url} ${body}`);
			response.end(JSON.stringify(headers));
		});
		routes.push(route(slug, { address: app.address, ports: [app.port], mainPort: app.port }));
	}
	await edge.edge.replaceRoutes({ revision: 1, routes });
	workers = await workersOf(edge);
});

beforeEach(() => {
	seen = [];
});

afterAll(async () => {
	expect(await workersOf(edge)).toEqual(workers);
	await edge?.release();
});

const hidden = "GET /hidden HTTP/1.1\r\nHost: other.apps.test\r\nConnection: close\r\n\r\n";

function post(headers: string[], body: string): string {
	return ["POST / HTTP/1.1", "Host: shop.apps.test", ...headers, "Connection: close", "", body].join("\r\n");
}

test("a message whose end could be read in two ways is refused whole", async () => {
	const whole = `0\r\n\r\n${hidden}`;
	const length = `Content-Length: ${whole.length}`;
	const refused: Record<string, string> = {
		"CL.TE": post(["Content-Length: 4", "Transfer-Encoding: chunked"], whole),
		"TE.CL": post(["Transfer-Encoding: chunked", length], whole),
		"two lengths": post(["Content-Length: 0", length], whole),
		"the same length twice": post([length, length], whole),
		"a list of lengths": post([`Content-Length: ${whole.length}, 0`], whole),
		"a length with a sign": post([`Content-Length: +${whole.length}`], whole),
		"a negative length": post(["Content-Length: -1"], whole),
		"a length in another base": post(["Content-Length: 0x10"], whole),
		"two encodings": post(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], whole),
		"chunked not last": post(["Transfer-Encoding: chunked, identity"], whole),
		"chunked twice": post(["Transfer-Encoding: chunked, chunked"], whole),
		"nearly chunked": post(["Transfer-Encoding: xchunked"], whole),
		"in quotes": post(['Transfer-Encoding: "chunked"'], whole),
		"with a tab": post(["Transfer-Encoding:\tchunked"], whole),
		"a folded encoding": post(["Transfer-Encoding:", " chunked"], whole),
		"a folded length": post(["Content-Length:", ` ${whole.length}`], whole),
		"a folded name": post(["X: y", " Transfer-Encoding: chunked"], whole),
		"a NUL in a header": post(["X: a\0b"], ""),
		"a size of a chunk that overflows": post(["Transfer-Encoding: chunked"], `fffffffffffffffff\r\n${hidden}`),
		"a negative size of a chunk": post(["Transfer-Encoding: chunked"], `-1\r\n${hidden}`),
		"chunked in HTTP/1.0": post(["Transfer-Encoding: chunked"], whole).replace("HTTP/1.1", "HTTP/1.0"),
		"the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/0.9": "GET /hidden\r\n",
	};
	for (const [name, text] of Object.entries(refused)) {
		const answer = await edge.raw(text);
		expect(answer, name).not.toMatch(/^HTTP\/1\.1 2/m);
		expect(
			seen.filter((each) => each.includes("/hidden ")),
			name,
		).toEqual([]);
	}
	expect(await edge.raw(post(["Content-Length: 2"], "ok"))).toMatch(/^HTTP\/1\.1 200/);
});

test("headers that servers read in different ways never reach an app, and the body stays a body", async () => {
	const whole = `0\r\n\r\n${hidden}`;
	for (const name of [
		"Transfer-Encoding ",
		"Transfer_Encoding",
		"Transfer-Encoding\x0b",
		"Content_Length",
		"Content-Length ",
	]) {
		seen = [];
		const answer = await edge.raw(post([`Content-Length: ${whole.length}`, `${name}: chunked`], whole));
		// Refused, or passed on as one message without that header.
		if (answer.startsWith("HTTP/1.1 400")) expect(seen, name).toEqual([]);
		else {
			expect(seen, name).toEqual([`shop POST / ${whole}`]);
			expect(answer.split("\r\n\r\n")[1] ?? "", name).not.toMatch(/chunked/);
		}
	}
});

test("a body of chunks arrives as one message, and what is behind its end is no part of it", async () => {
	const chunks = "5;name=value\r\nhello\r\n0\r\nTrailer-Name: x\r\n\r\n";
	const first = post(["Transfer-Encoding: chunked"], chunks).replace("Connection: close\r\n", "");
	expect(await edge.raw(first + hidden)).toMatch(/^HTTP\/1\.1 200/);
	expect(seen[0]).toBe("shop POST / hello");
	// A request of its own, if the connection goes on.
	for (const each of seen.slice(1)) expect(each).toBe("other GET /hidden ");
});

test("an upgrade to HTTP/2 is not passed on, and the request is answered in HTTP/1.1", async () => {
	const upgrade = ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"];
	const answer = await edge.raw(
		["GET / HTTP/1.1", "Host: shop.apps.test", ...upgrade, "Connection: Upgrade, HTTP2-Settings, close", "", ""].join(
			"\r\n",
		),
	);
	expect(answer).toMatch(/^HTTP\/1\.1 200/);
	expect(answer.toLowerCase()).not.toMatch(/h2c|http2-settings/);
});
