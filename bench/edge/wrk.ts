import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Lab } from "./lab.ts";

const Load = z.object({
	requestsPerSecond: z.number(),
	p99Ms: z.number(),
	requests: z.number(),
	/** Answers with a status of 400 or more. */
	failed: z.number(),
	/** Connections that broke, and answers that did not come. */
	errors: z.number(),
});
export type Load = z.infer<typeof Load>;

const report = `
function done(summary, latency)
	local e = summary.errors
	io.write(string.format('RESULT {"requestsPerSecond":%f,"p99Ms":%f,"requests":%d,"failed":%d,"errors":%d}\\n',
		summary.requests / summary.duration * 1e6, latency:percentile(99) / 1000, summary.requests, e.status,
		e.connect + e.read + e.write + e.timeout))
end
`;

/** Loads one host of the edge from the visitors' place. */
export async function load(
	lab: Lab,
	{ port, host, connections, seconds }: { port: number; host: string; connections: number; seconds: number },
): Promise<Load> {
	const script = join(lab.directory, "report.lua");
	await writeFile(script, report);
	const output = await lab.run("visitors", "wrk", [
		...["--threads", "1", "--connections", String(connections), "--duration", `${seconds}s`, "--timeout", "5s"],
		...["--script", script, "--header", `Host: ${host}`, `http://${lab.edgeAddress}:${port}/`],
	]);
	return Load.parse(JSON.parse(/^RESULT (.*)$/m.exec(output)?.[1] ?? "null"));
}
