import { afterEach, beforeEach, expect, test } from "vitest";
import { signVisit } from "../../src/gateway/visit.ts";
import { type GatewayRig, startGatewayRig } from "./rig.ts";

let rig: GatewayRig;
beforeEach(async () => {
	rig = await startGatewayRig();
});
afterEach(() => rig.release());

const wake = (tokens: string) =>
	rig.ask("GET", "/edge/wake", {
		headers: { "x-repldock-project": rig.projectId, "x-repldock-visitor": "page", "x-repldock-access": tokens },
	});

const visit = (change: Partial<Parameters<typeof signVisit>[1]> = {}) =>
	signVisit(rig.accessSecret, { visit: rig.projectId, sub: "u1", name: "Ada", rightsVersion: 3, ...change });

test("the edge hears that a project is awake, or on its way", async () => {
	expect((await wake("")).status).toBe(204);
	rig.wakeOutcome = { kind: "waking" };
	expect((await wake("")).status).toBe(202);
});

test("what the program printed before it ended is for the owner alone", async () => {
	const failure = { code: "container_failed", detail: "It ended with exit code 3.", exitCode: 3, lines: ["secret"] };
	rig.wakeOutcome = { kind: "failed", failure };
	const owner = await wake(`planted,${await visit()}`);
	expect(owner.status).toBe(409);
	expect(owner.json()).toEqual(failure);
	const strangers = [
		"",
		"planted",
		await visit({ sub: "u2" }),
		await visit({ visit: "0b9c7a52-1111-4222-8333-444455556666" }),
		await visit({ rightsVersion: 2 }),
		// Another kind of token, which opens more than that.
		await rig.enter(),
	];
	for (const tokens of strangers) {
		const answer = await wake(tokens);
		expect(answer.json()).toMatchObject({ code: "container_failed", exitCode: null, lines: [] });
		expect(answer.body.toString()).not.toContain("exit code");
	}
});

test("visitors hear that there is no room, and the owner alone what to do about it", async () => {
	const detail = "2 of your projects run already, which is the most here. Stop one.";
	rig.wakeOutcome = { kind: "failed", failure: { code: "limit_reached", detail, exitCode: null, lines: [] } };
	expect((await wake(await visit())).json()).toMatchObject({ code: "limit_reached", detail });
	const stranger = (await wake("")).json();
	expect(stranger).toMatchObject({
		code: "limit_reached",
		detail: expect.stringContaining("its owner's other projects"),
	});
});
