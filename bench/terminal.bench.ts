import { serviceIds } from "./support/memory.ts";
import { compared, type Figure, median, quantile, report } from "./support/report.ts";
import { withInstance } from "./support/world.ts";
import { measureInBrowser } from "./terminal/browser.ts";
import { measureEcho } from "./terminal/echo.ts";
import { type Flood, measureFlood } from "./terminal/flood.ts";

/*
 * A terminal at the browser's socket, and in Chromium against a bare xterm.js page on a local PTY. Subject and baseline
 * take turns.
 */
const mostEchoMs = { median: 8, p95: 25 };
const leastMegabytesPerSecond = 20;
/** What garbage collection alone may move in either direction. */
const flatBytes = 24e6;
const mostInterruptMs = 150;

await withInstance(async (instance, site) => {
	const project = await site.createProject("bash");
	const ids = await serviceIds(instance);
	const watched = new Map(["holder", "agent"].map((name) => [name, ids.get(name) ?? 0]));
	const flood = await measureFlood(site, project.id, watched, 4);
	// Not first: the disk is still busy with the image that the instance imported.
	const echo = await measureEcho(site, project.id, 300);
	const browser = await measureInBrowser(instance, site, project.id, { keys: 100, floods: 4, interrupts: 20 });
	report("terminal", [
		echoFigure(echo),
		throughputFigure(flood),
		...memoryFigures(flood),
		compared("Key to painted (bare: xterm.js page)", browser.keys.subject, browser.keys.baseline, "ms", 1.1),
		compared(
			"`seq 1 2000000` to painted (bare: xterm.js page)",
			browser.floods.subject,
			browser.floods.baseline,
			"ms",
			1.3,
		),
		{
			name: "Ctrl-C during `yes` to prompt painted",
			value: median(browser.interrupts),
			unit: "ms",
			p95: quantile(browser.interrupts, 0.95),
			runs: browser.interrupts.length,
			goal: `<= ${mostInterruptMs} ms`,
			met: median(browser.interrupts) <= mostInterruptMs,
		},
	]);
});

function echoFigure(samples: readonly number[]): Figure {
	const value = median(samples);
	const p95 = quantile(samples, 0.95);
	return {
		name: "Key to echo at the socket",
		value,
		unit: "ms",
		p95,
		runs: samples.length,
		goal: `<= ${mostEchoMs.median} ms, p95 <= ${mostEchoMs.p95} ms`,
		met: value <= mostEchoMs.median && p95 <= mostEchoMs.p95,
	};
}

function throughputFigure({ megabytesPerSecond }: Flood): Figure {
	const value = median(megabytesPerSecond);
	return {
		name: "100 MB of output at the socket",
		value,
		unit: "MB/s",
		runs: megabytesPerSecond.length,
		goal: `>= ${leastMegabytesPerSecond} MB/s`,
		met: value >= leastMegabytesPerSecond,
	};
}

/** Growth of the peak; the memory before and after stand in the names, since a figure has one value. */
function memoryFigures({ memory }: Flood): Figure[] {
	const megabytes = (bytes: number) => Math.round(bytes / 1e6);
	return [...memory].map(([name, { before, peak, after }]) => ({
		name: `Growth of the ${name}'s memory by that (resident ${megabytes(before)} MB before, ${megabytes(after)} MB after)`,
		value: (peak - before) / 1e6,
		unit: "MB",
		runs: 1,
		goal: `flat: <= ${flatBytes / 1e6} MB`,
		met: peak - before <= flatBytes,
	}));
}
