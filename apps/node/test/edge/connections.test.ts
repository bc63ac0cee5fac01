import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { route, startEdge, type TestEdge } from "./support.ts";

let edge: TestEdge;

beforeAll(async () => {
	edge = await startEdge();
});

afterAll(() => edge?.release());

test("connections to a container are used again, and never for another container", async () => {
	const sockets = [new Set<Socket>(), new Set<Socket>()];
	const routes = [];
	for (const [index, mine] of sockets.entries()) {
		const app = await edge.container((incoming, response) => {
			mine.add(incoming.socket);
			response.end(`${index} ${incoming.headers.host}`);
		});
		routes.push(route(`app-${index}`, { address: app.address, ports: [app.port], mainPort: app.port }));
	}
	await edge.edge.replaceRoutes({ revision: 1, routes });
	for (let count = 0; count < 200; count += 1) {
		const host = `app-${count % 2}.apps.test`;
		expect((await edge.visit(host)).body).toBe(`${count % 2} ${host}:${edge.port}`);
	}
	// One a worker, and some more for a worker that was asked before it had put the last one aside.
	for (const mine of sockets) expect(mine.size).toBeLessThanOrEqual(10);
});

test("an app that closes its idle connections without saying so costs no visitor an error", async () => {
	const app = await edge.container((incoming, response) => {
		response.end("fine", () => incoming.socket.end());
	});
	await edge.edge.replaceRoutes({
		revision: 2,
		routes: [route("closing", { address: app.address, ports: [app.port], mainPort: app.port })],
	});
	for (let round = 0; round < 50; round += 1) {
		const answers = await Promise.all(Array.from({ length: 10 }, () => edge.visit("closing.apps.test")));
		expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
	}
});

test("a project that moved to another address, and one that took its old address, each answer for themselves", async () => {
	const first = await edge.container((_, response) => response.end("first"));
	const second = await edge.container((_, response) => response.end("second"));
	const at = (slug: string, app: typeof first) =>
		route(slug, { address: app.address, ports: [app.port], mainPort: app.port });
	await edge.edge.replaceRoutes({ revision: 3, routes: [at("a", first), at("b", second)] });
	expect((await edge.visit("a.apps.test")).body).toBe("first");
	await edge.edge.changeRoutes({ revision: 4, set: [at("b", first), at("a", second)], removed: ["a", "b"] });
	expect((await edge.visit("a.apps.test")).body).toBe("second");
	expect((await edge.visit("b.apps.test")).body).toBe("first");
});
