import { expect, test } from "vitest";
import {
	CommandError,
	createBackoff,
	createCleanupStack,
	createLog,
	parse,
	readConfig,
	runCommand,
} from "../src/index.ts";

const log = createLog("test", "silent");

test("cleanup runs in reverse order, once, and goes on after a failure", async () => {
	const released: string[] = [];
	const cleanup = createCleanupStack(log);
	cleanup.push("first", () => void released.push("first"));
	cleanup.push("broken", () => Promise.reject(new Error("stuck")));
	cleanup.push("last", async () => void released.push("last"));
	await Promise.all([cleanup.run(), cleanup.run()]);
	expect(released).toEqual(["last", "first"]);
});

test("a configuration names every wrong option at once and never prints a secret", () => {
	const table = {
		port: { variable: "PORT", fallback: "1", parse: parse.integer(1, 10), description: "a port" },
		key: { variable: "KEY", fallback: undefined, parse: parse.text, description: "a key" },
		secret: { variable: "SECRET", fallback: "x", parse: parse.url, description: "a secret", secret: true },
	};
	let message = "";
	try {
		readConfig(table, { PORT: "11", SECRET: "hunter2" });
	} catch (error) {
		message = String(error);
	}
	expect(message).toContain('PORT: "11" is not a whole number from 1 to 10');
	expect(message).toContain("KEY is not set");
	expect(message).toContain("SECRET: its value is not a URL");
	expect(message).not.toContain("hunter2");
});

test("sizes and times carry their units", () => {
	expect(parse.bytes("512M")).toBe(512 * 1024 ** 2);
	expect(parse.bytes("65536")).toBe(65_536);
	expect(parse.duration("15m")).toBe(900_000);
	expect(() => parse.bytes("1.5G")).toThrow("is not a size");
	expect(() => parse.duration("10")).toThrow("is not a time");
});

test("pauses double up to the most, each shortened by at most a half", () => {
	const backoff = createBackoff(100, 1_000);
	for (const whole of [100, 200, 400, 800, 1_000, 1_000]) {
		const wait = backoff.nextMs();
		expect(wait).toBeGreaterThanOrEqual(whole / 2);
		expect(wait).toBeLessThanOrEqual(whole);
	}
	backoff.reset();
	expect(backoff.nextMs()).toBeLessThanOrEqual(100);
});

test("a command gets its arguments as they stand and tells why it failed", async () => {
	expect(await runCommand("printf", ["%s|", "$(id)", "two words", "-rf"])).toBe("$(id)|two words|-rf|");
	expect(await runCommand("cat", [], { input: "fed" })).toBe("fed");
	const failure = await runCommand("sh", ["-c", "echo broken >&2; exit 7"]).catch((error: unknown) => error);
	expect(failure).toBeInstanceOf(CommandError);
	expect(failure).toMatchObject({ exitCode: 7, stderr: "broken\n" });
});

test("secrets do not reach the log", async () => {
	const program = `
		import { createLog } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
		createLog("test", "info").info({ token: "hunter2", deep: { password: "hunter2", er: { cookie: "hunter2" } } }, "said");
	`;
	const output = await runCommand(process.execPath, ["--input-type=module", "--eval", program]);
	expect(output).toContain("said");
	expect(output).not.toContain("hunter2");
});
