import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { edgeArguments, nginxProgram } from "../../src/host/edge-process.ts";
import { route, startEdge, type TestEdge, until } from "./support.ts";
import { reflect, type Seen } from "./visitors.ts";

/** Starts the edge's NGINX anew, speaking HTTP/2 without TLS. */
async function speakHttp2(edge: TestEdge): Promise<void> {
	await edge.stop();
	const file = join(edge.dataDirectory, "edge", "nginx.conf");
	const text = await readFile(file, "utf8");
	await writeFile(file, text.replaceAll(/(listen (?:0\.0\.0\.0|\[::\]):\d+)/g, "$1 http2"));
	const nginx = spawn(nginxProgram, edgeArguments(edge.dataDirectory), { stdio: "ignore" });
	onTestFinished(async () => {
		const ended = once(nginx, "exit");
		nginx.kill("SIGTERM");
		await ended;
	});
	await until(() =>
		edge.edge.report().then(
			() => true,
			() => false,
		),
	);
}

test("over HTTP/2, too, nobody can claim to be somebody, and no app sees a personal token", async () => {
	const edge = await startEdge();
	onTestFinished(() => edge.release());
	const app = await edge.container(reflect);
	await speakHttp2(edge);
	const target = { address: app.address, ports: [app.port], mainPort: app.port };
	await edge.edge.replaceRoutes({ revision: 1, routes: [route("shop", target)] });
	const session = connect(`http://127.0.0.1:${edge.port}`);
	onTestFinished(() => session.close());
	const request = session.request({
		":authority": `shop.apps.test:${edge.port}`,
		"x-repldock-user-id": ["1", "2"],
		"x-replit-user-name": "root",
		"x-repldock-hop": "v1",
		x_replit_user_id: "1",
		authorization: `Bearer rd_${"g".repeat(43)}`,
		"x-kept": "1",
	});
	let body = "";
	for await (const chunk of request.setEncoding("utf8")) body += chunk;
	const { names } = JSON.parse(body) as Seen;
	expect(names).toContain("x-kept");
	expect(names.filter((name) => /user|hop|authorization/.test(name))).toEqual([]);
});
