import type { Reporter, TestModule } from "vitest/node";

/** Ends the run with the plain line `N passed, N failed`, which scripts and people read first. */
export default class ClosingLineReporter implements Reporter {
	onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
		let passed = 0;
		let failed = unhandledErrors.length;
		for (const module of modules) {
			let counted = 0;
			for (const test of module.children.allTests()) {
				counted += 1;
				const { state } = test.result();
				if (state === "passed") passed += 1;
				else failed += 1;
			}
			// A file that could not be loaded, or whose set-up failed, has no result of its own.
			if (module.state() === "failed" && counted === 0) failed += 1;
		}
		// After the default reporter's summary, which is written in the same turn.
		process.once("exit", () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
	}
}
