import { randomBytes, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signAccess } from "../../src/gateway/access.ts";
import { origin, type Rig, startRig } from "./rig.ts";
import { connectScreen } from "./screen.ts";

let rig: Rig;

beforeAll(async () => {
	rig = await startRig();
});

afterAll(() => rig.release());

const projectId = randomUUID();
const claims = { sub: "ada", name: "Ada", projectId, rights: "edit" as const, rightsVersion: 5 };

function connect(token: string, change: { projectId?: string; ptyId?: string; origin?: string | undefined } = {}) {
	return connectScreen({ socketPath: rig.socketPath, projectId, ptyId: "console", origin, token, ...change });
}

async function sign(change: Partial<typeof claims> = {}, lifetimeSeconds = 60): Promise<string> {
	return (await signAccess(rig.secret, { ...claims, ...change }, lifetimeSeconds)).token;
}

test("tokens that are forged, expired, unsigned, malformed or for another project are refused", async () => {
	const forged = await signAccess(randomBytes(32), claims, 60);
	const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from(JSON.stringify({ ...claims, iat: 1, exp: 9e9 })).toString("base64url")}.`;
	const foreign = await new SignJWT({ some: "claims" }).setProtectedHeader({ alg: "HS256" }).sign(rig.secret);
	await expect(connect(forged.token)).rejects.toThrow("refused with 401");
	await expect(connect(await sign({}, -5))).rejects.toThrow("refused with 401");
	await expect(connect(unsigned)).rejects.toThrow("refused with 401");
	await expect(connect(foreign)).rejects.toThrow("refused with 401");
	await expect(connect("x")).rejects.toThrow("refused with 401");
	await expect(connect(await sign(), { projectId: randomUUID() })).rejects.toThrow("refused with 403");
	await expect(connect(await sign(), { ptyId: "..%2f" })).rejects.toThrow("refused with 404");
});

test("a page of another origin is refused; a program without one is let in by its token", async () => {
	await expect(connect(await sign(), { origin: "http://evil.example" })).rejects.toThrow("refused with 403");
	const screen = await connect(await sign(), { origin: undefined });
	await screen.close();
});

test("a socket closes when its access expires or its rights are taken away, and lower versions stay out", async () => {
	const expiring = await connect(await sign({}, 1));
	expect(await expiring.closed).toBe(4401);
	const screen = await connect(await sign());
	await rig.client.setRights({ projectId, rightsVersion: 6 });
	expect(await screen.closed).toBe(4401);
	await expect(connect(await sign())).rejects.toThrow("refused with 401");
	const renewed = await connect(await sign({ rightsVersion: 6 }));
	await renewed.close();
});

test("who may only view sees output but neither types nor resizes", async () => {
	const project = await rig.project();
	const [viewer, editor] = await Promise.all([project.connect({ rights: "view" }), project.connect()]);
	await project.start("stty -echo; echo up; read line; echo got $line; stty size");
	await viewer.untilText("up");
	viewer.type("from the viewer\r");
	viewer.resize({ columns: 10, rows: 10 });
	// An acknowledgement is answered by nothing; the next frame shows that the earlier ones were taken in order.
	await viewer.close();
	editor.type("from the editor\r");
	await editor.untilText("24 80");
	expect(editor.text).toContain("got from the editor");
});

test("a PTY that is not there answers closed", async () => {
	const screen = await connect(await sign({ rightsVersion: 9 }), { ptyId: "gone" });
	expect(screen.events).toEqual([{ type: "closed" }]);
	expect(await screen.closed).toBe(1000);
});

test("a frame that is no command closes the socket", async () => {
	const screen = await connect(await sign({ rightsVersion: 9 }));
	screen.resize({ columns: -1, rows: 0 });
	expect(await screen.closed).toBe(1008);
});
