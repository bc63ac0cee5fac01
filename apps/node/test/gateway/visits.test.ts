import { generateKeyPair } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type GatewayRig, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

const host = "my-app.localhost:8080";
const state = "s".repeat(22);

/** A question as the edge asks it. */
function edgeAsks(kind: string, shown: string, more: Record<string, string> = {}) {
	const headers = { "x-repldock-project": rig.projectId, "x-repldock-access": shown, ...more };
	return rig.ask("GET", `/edge/${kind}`, { headers });
}
const arrive = (ticket: string, more: Record<string, string> = {}) =>
	edgeAsks("visit", ticket, { "x-repldock-host": host, "x-repldock-state": state, ...more });

test("a visit ticket becomes a cookie that says who visits", async () => {
	const entered = await arrive(await rig.visitTicket({ name: "Ada Lövelace 100%" }), {
		"x-repldock-host": "My-App.localhost:8080",
	});
	expect(entered.status).toBe(204);
	const cookie = String(entered.headers["x-repldock-access"]);
	const visited = await edgeAsks("authorize", cookie);
	expect(visited.status).toBe(204);
	expect(visited.headers).toMatchObject({
		"x-repldock-user-id": "u1",
		"x-repldock-user-name": "Ada L%C3%B6velace 100%25",
		"x-repldock-user-roles": "owner",
	});
	expect((await edgeAsks("enter", cookie)).status).toBe(401);
});

test("a visit ticket works once, in the browser and on the host that it was made for", async () => {
	const ticket = await rig.visitTicket();
	for (const wrong of [
		{ "x-repldock-host": "other.localhost:8080" },
		{ "x-repldock-state": "t".repeat(22) },
		{ "x-repldock-state": "" },
	]) {
		expect((await arrive(ticket, wrong)).status, JSON.stringify(wrong)).toBe(401);
	}
	expect((await arrive(ticket, { "x-repldock-state": `planted,${state}` })).status).toBe(204);
	expect((await arrive(ticket)).status).toBe(401);
});

test("forged, old and misplaced visit tickets are refused, also those of rights that were taken away", async () => {
	const { privateKey } = await generateKeyPair("EdDSA");
	const past = Math.floor(Date.now() / 1000) - 3600;
	for (const ticket of [
		"",
		"a.b.c",
		await rig.visitTicket({}, privateKey),
		await rig.visitTicket({ iat: past - 60, exp: past }),
		await rig.visitTicket({ rightsVersion: 2 }),
		await rig.visitTicket({ visit: "3f0c9a52-1111-4111-8111-00000000000b" }),
	]) {
		expect((await arrive(ticket)).status).toBeGreaterThanOrEqual(401);
	}
});

test("tickets to a workspace and tickets to an app are never taken for each other", async () => {
	expect((await arrive(await rig.ticket())).status).toBe(401);
	const exchanged = await rig.ask("POST", "/access", { body: JSON.stringify({ ticket: await rig.visitTicket() }) });
	expect(exchanged.status).toBe(401);
});

test("rights that are taken away end a visitor's cookie", async () => {
	const cookie = String((await arrive(await rig.visitTicket())).headers["x-repldock-access"]);
	rig.placement.rightsVersion = 4;
	expect((await edgeAsks("authorize", cookie)).status).toBe(403);
});

test("a personal token opens the app to its owner, and to nobody when the site does not know it", async () => {
	const token = `rd_${"a".repeat(43)}`;
	rig.personalTokens.set(token, { id: "u2", name: "Bob" });
	const allowed = await edgeAsks("bearer", token, { "x-repldock-visitor": "198.18.0.1" });
	expect(allowed.status).toBe(204);
	expect(allowed.headers).toMatchObject({ "x-repldock-user-id": "u2", "x-repldock-user-roles": "" });
	expect((await edgeAsks("bearer", `rd_${"b".repeat(43)}`)).status).toBe(403);
	const asked = rig.questions.length;
	for (const odd of ["", "rd_short", `xx_${"a".repeat(43)}`]) expect((await edgeAsks("bearer", odd)).status).toBe(403);
	expect(rig.questions.length).toBe(asked);
});

test("an address that shows one wrong token after another is no longer asked about, and others still are", async () => {
	const right = `rd_${"z".repeat(43)}`;
	rig.personalTokens.set(right, { id: "u1", name: "Ada" });
	const guess = (index: number, visitor: string) =>
		edgeAsks("bearer", `rd_${String(index).padStart(43, "0")}`, { "x-repldock-visitor": visitor });
	const statuses = [];
	for (let index = 0; index < 15; index += 1) statuses.push((await guess(index, "2001:db8:1:2:3::9")).status);
	expect(statuses.slice(0, 10)).toEqual(Array(10).fill(403));
	expect(statuses.slice(10)).toEqual(Array(5).fill(429));
	expect(rig.questions.length).toBe(10);
	expect((await guess(99, "2001:db8:1:2:ffff::1")).status).toBe(429);
	for (let index = 0; index < 30; index += 1) {
		expect((await edgeAsks("bearer", right, { "x-repldock-visitor": "198.18.0.2" })).status).toBe(204);
	}
});
