import { expect, test } from "vitest";
import { readNodeConfig } from "../../src/config.ts";

test("sleep is switched off by a word, and nothing is stopped before it would be paused", () => {
	const read = (pause: string, idle: string) =>
		readNodeConfig({ REPLDOCK_PAUSE_AFTER: pause, REPLDOCK_IDLE_TIMEOUT: idle });
	expect(readNodeConfig({})).toMatchObject({ pauseAfterMs: 300_000, idleTimeoutMs: 900_000, wakeTimeoutMs: 60_000 });
	expect(read("never", "0")).toMatchObject({ pauseAfterMs: undefined, idleTimeoutMs: undefined });
	expect(read("never", "1s").idleTimeoutMs).toBe(1_000);
	expect(read("1h", "never").pauseAfterMs).toBe(3_600_000);
	expect(() => read("2m", "1m")).toThrow("REPLDOCK_IDLE_TIMEOUT is less than REPLDOCK_PAUSE_AFTER");
	expect(() => readNodeConfig({ REPLDOCK_WAKE_TIMEOUT: "11m" })).toThrow("REPLDOCK_WAKE_TIMEOUT");
});

test("the clients that wake nothing are a list of texts", () => {
	expect(readNodeConfig({}).noWakeAgents).toContain("UptimeRobot");
	expect(readNodeConfig({ REPLDOCK_NO_WAKE_AGENTS: "" }).noWakeAgents).toEqual([]);
	expect(readNodeConfig({ REPLDOCK_NO_WAKE_AGENTS: " a b , c," }).noWakeAgents).toEqual(["a b", "c"]);
});
