import { randomUUID } from "node:crypto";
import { generateKeyPair } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ending, type GatewayRig, nextEvent, siteOrigin, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

const exchange = async (ticket: string) => rig.ask("POST", "/access", { body: JSON.stringify({ ticket }) });

test("a good ticket is exchanged for an access token of the same rights", async () => {
	const answer = await exchange(await rig.ticket({ rights: "view" }));
	expect(answer.status).toBe(200);
	expect(answer.json()).toMatchObject({ projectId: rig.projectId, rights: "view" });
	const { token, expiresAt } = answer.json() as { token: string; expiresAt: string };
	expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(11.9 * 3_600_000);
	const state = await rig.ask("GET", `/projects/${rig.projectId}/state`, { token });
	expect(state.status).toBe(200);
});

test("tickets that are forged, expired, for another node or of rights taken away are refused", async () => {
	const { privateKey } = await generateKeyPair("EdDSA");
	const past = Math.floor(Date.now() / 1000) - 3600;
	for (const ticket of [
		"",
		"a.b.c",
		await rig.ticket({}, privateKey),
		await rig.ticket({ iat: past - 60, exp: past }),
		await rig.ticket({ aud: randomUUID() }),
		await rig.ticket({ rightsVersion: 2 }),
	]) {
		const answer = await exchange(ticket);
		expect(answer.status).toBe(401);
		expect(answer.headers["content-type"]).toBe("application/problem+json");
		expect(answer.json()).toMatchObject({ code: "invalid_ticket" });
	}
});

test("a token opens its own project only, and nothing opens without one", async () => {
	const token = await rig.enter();
	const other = `/projects/${randomUUID()}/state`;
	expect((await rig.ask("GET", other, { token })).status).toBe(401);
	expect((await rig.ask("GET", `/projects/${rig.projectId}/state`)).status).toBe(401);
	expect((await rig.ask("GET", `/projects/${rig.projectId}/files?path=`)).status).toBe(401);
});

test("rights that are taken away end requests and sockets at once", async () => {
	const token = await rig.enter();
	const socket = rig.socket(token);
	await nextEvent(socket, "state");
	const closed = ending(socket);
	rig.placement.rightsVersion = 4;
	rig.gateway.recheck();
	expect(await closed).toBe(4401);
	expect((await rig.ask("GET", `/projects/${rig.projectId}/state`, { token })).status).toBe(401);
});

test("somebody who may only look changes nothing and runs nothing", async () => {
	const token = await rig.enter({ rights: "view" });
	const base = `/projects/${rig.projectId}`;
	for (const [method, path] of [
		["PUT", "/files/content?path=a"],
		["POST", "/files/directory"],
		["POST", "/files/move"],
		["DELETE", "/files?path=a"],
		["POST", "/run"],
		["POST", "/stop"],
		["POST", "/terminals"],
		["DELETE", "/ptys/console"],
	] as const) {
		const answer = await rig.ask(method, base + path, { token, ...(method === "DELETE" ? {} : { body: "{}" }) });
		expect([method, path, answer.status]).toEqual([method, path, 403]);
	}
	expect((await rig.ask("GET", `${base}/files?path=`, { token })).status).toBe(200);
});

test("only pages of the site may call and connect", async () => {
	const preflight = (origin: string) =>
		rig.ask("OPTIONS", `/projects/${rig.projectId}/run`, {
			headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
		});
	const allowed = await preflight(siteOrigin);
	expect(allowed.headers["access-control-allow-origin"]).toBe(siteOrigin);
	expect(Number(allowed.headers["access-control-max-age"])).toBeGreaterThan(0);
	expect((await preflight("http://evil.example")).headers["access-control-allow-origin"]).toBeUndefined();
	const refused = await rig.ask("GET", `/projects/${rig.projectId}/state`, { headers: { origin: siteOrigin } });
	expect(refused.status).toBe(401);
	expect(refused.headers["access-control-allow-origin"]).toBe(siteOrigin);
	const token = await rig.enter();
	expect(await ending(rig.socket(token, { origin: "http://evil.example" }))).toBe(403);
	await nextEvent(rig.socket(token, { origin: siteOrigin }), "state");
	expect(await ending(rig.socket("nonsense"))).toBe(401);
});

test("the health check answers without a token", async () => {
	expect((await rig.ask("GET", "/healthz")).status).toBe(200);
});

test("a body that is too long or no JSON is a clear problem", async () => {
	const long = await rig.project("POST", "/run", `{"file": "${"x".repeat(70_000)}"}`);
	expect(long.json()).toMatchObject({ code: "invalid_input" });
	expect((await rig.project("POST", "/run", "{")).json()).toMatchObject({ code: "invalid_input", status: 400 });
});
