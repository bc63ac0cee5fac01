import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ListeningPort } from "../../src/host.ts";
import { createPortWatcher } from "../../src/workspace/port-watcher.ts";
import { log } from "./rig.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watch() {
	const told: (readonly ListeningPort[])[] = [];
	const world = { looks: 0, listening: [] as ListeningPort[] };
	const watcher = createPortWatcher({
		log,
		async readListeningPorts() {
			world.looks += 1;
			return world.listening;
		},
		programsRun: () => true,
		onPorts: (ports) => told.push(ports),
	});
	return { watcher, world, told };
}

test("while a visitor waits, a port is seen within moments of its opening", async () => {
	const { watcher, world, told } = watch();
	watcher.follow(1);
	const release = watcher.watchClosely();
	await vi.advanceTimersByTimeAsync(1_000);
	expect(world.looks).toBeGreaterThan(30);
	world.listening = [{ port: 3000, loopbackOnly: false }];
	await vi.advanceTimersByTimeAsync(40);
	expect(told).toEqual([world.listening]);
	release();
	release();
	const before = world.looks;
	await vi.advanceTimersByTimeAsync(2_000);
	expect(world.looks - before).toBeLessThan(8);
	watcher.close();
});

test("nobody looks at the ports of a container that stands still, and they are as they were when it goes on", async () => {
	const { watcher, world, told } = watch();
	world.listening = [{ port: 3000, loopbackOnly: false }];
	watcher.follow(1);
	await vi.advanceTimersByTimeAsync(1_000);
	watcher.follow(1, true);
	const before = world.looks;
	await vi.advanceTimersByTimeAsync(60_000);
	expect(world.looks).toBe(before);
	expect(told.length).toBe(1);
	watcher.follow(1);
	await vi.advanceTimersByTimeAsync(1_000);
	expect(world.looks).toBeGreaterThan(before);
	watcher.follow(null);
	expect(told.at(-1)).toEqual([]);
	watcher.close();
});
