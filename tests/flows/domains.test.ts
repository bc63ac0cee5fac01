import { readFile } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { eventually } from "../support/wait.ts";
import { openProject, site } from "../support/world.ts";

/** The front page of a host by HTTP/2 over TLS, for a visitor who trusts this machine's authority alone. */
async function visitByTls(host: string): Promise<{ status: number; body: string }> {
	const ca = await readFile(join(inject("instance").data, "certificates/authority.crt"));
	const port = inject("httpsPort");
	const session = connect(`https://127.0.0.1:${port}`, { ca, servername: host });
	// A refused handshake fails the stream as well, which tells.
	session.on("error", () => undefined);
	try {
		const stream = session.request({ ":authority": `${host}:${port}` });
		let status = 0;
		stream.on("response", (headers) => {
			status = headers[":status"] ?? 0;
		});
		let body = "";
		for await (const chunk of stream) body += chunk;
		return { status, body };
	} finally {
		session.destroy();
	}
}

test("a proved domain gets its certificate by itself, leads visitors to the app, and stops when it is removed", async () => {
	const { project, workspace } = await openProject("static", { visibility: "public" });
	await workspace.run();
	const host = `${project.slug}.proved.example`;
	const domains = `/projects/${project.id}/domains`;
	const { id } = await site().call<{ id: string }>("POST", domains, { name: host });
	const proved = await site().call<{ state: string }>("POST", `${domains}/${id}/verify`);
	expect(proved.state).toBe("ready");
	await eventually("the page", async () => {
		// Without a certificate there is no handshake.
		const answer = await visitByTls(host).catch(() => null);
		return answer?.status === 200 && answer.body.includes("<html");
	});
	await site().call("DELETE", `${domains}/${id}`);
	await eventually("the end of its certificate", () =>
		visitByTls(host).then(
			() => false,
			() => true,
		),
	);
	// The site itself, by the same authority.
	expect((await visitByTls("localhost")).status).toBe(200);
});
