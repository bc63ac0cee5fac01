import type { PtySize } from "@repldock/protocol";
import { createLog } from "@repldock/service";
import { expect, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { startProgram } from "../../src/holder/program.ts";
import type { Engine } from "../../src/host.ts";
import { engineOfOneProgram, startMessage } from "./engine.ts";

function start(engine: Engine) {
	return startProgram({ engine, log: createLog("test", "silent"), message: startMessage, onOutput: () => undefined });
}

test("a size that the engine did not take is told it again", async () => {
	const taken: PtySize[] = [];
	let calls = 0;
	const { engine, end } = engineOfOneProgram(async (size) => {
		calls += 1;
		if (calls === 2) throw new Error("the engine is busy");
		taken.push(size);
	});
	const program = await start(engine);
	await eventually("the first size", () => taken.length === 1);
	program.resize({ columns: 120, rows: 40 });
	await eventually("the new size", () => taken.length === 2);
	expect(taken.at(-1)).toEqual({ columns: 120, rows: 40 });
	end();
	await program.ended;
});

test("of the sizes that come while one is on its way the newest is set, and set last", async () => {
	const taken: number[] = [];
	const first = Promise.withResolvers<void>();
	const { engine, end } = engineOfOneProgram(async ({ columns }) => {
		if (taken.length === 0) await first.promise;
		taken.push(columns);
	});
	const program = await start(engine);
	for (let columns = 81; columns <= 120; columns += 1) program.resize({ columns, rows: 24 });
	first.resolve();
	await eventually("the newest size", () => taken.at(-1) === 120);
	expect(taken).toEqual([80, 120]);
	end();
	await program.ended;
});
