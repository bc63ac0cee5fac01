import { defineConfig } from "vitest/config";

/**
 * Two groups: `parts` (each folder's own tests, side by side) and then `whole` (a running instance, one file after the
 * other, since they restart and overload it).
 */
export default defineConfig({
	test: {
		reporters: ["default", "./tests/support/closing-line-reporter.ts"],
		projects: [
			{
				test: {
					name: "parts",
					include: [
						"apps/*/test/**/*.test.ts",
						"packages/*/test/**/*.test.ts",
						"images/**/*.test.ts",
						"tests/contract/**/*.test.ts",
						"tests/faults/parts/**/*.test.ts",
					],
					testTimeout: 60_000,
					hookTimeout: 180_000,
					// As long as a machine that is busy with other tests may need.
					expect: { poll: { timeout: 30_000 } },
					maxWorkers: 2,
					sequence: { groupOrder: 0 },
				},
			},
			{
				test: {
					name: "whole",
					include: ["tests/{flows,hostile,browser}/**/*.test.ts", "tests/faults/instance/**/*.test.ts"],
					globalSetup: "tests/support/global-setup.ts",
					testTimeout: 90_000,
					hookTimeout: 180_000,
					fileParallelism: false,
					maxWorkers: 1,
					sequence: { groupOrder: 1 },
				},
			},
		],
	},
});
