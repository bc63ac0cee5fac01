import { setTimeout as delay } from "node:timers/promises";
import { createTypist } from "../../apps/node/test/workspace/typist.ts";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";
import { type Figure, quantile } from "../support/report.ts";
import { withInstance } from "../support/world.ts";
import { bounded } from "./timing.ts";
import { createRandom } from "./tree.ts";

const mostMs = 6_000;
const tickMs = 5_000;

/** From a key in the editor until the page may say that it is durable, at any moment of the tick. */
export async function measureKeystrokes(keystrokes: number): Promise<Figure[]> {
	const took: number[] = [];
	await withInstance(async (_instance, site) => {
		const { workspace, type } = await openDocument(site);
		const random = createRandom(3);
		for (let at = 0; at < keystrokes; at += 1) {
			await delay(random() * tickMs);
			const pressedAt = Date.now();
			type("x");
			await eventually("durable", () => Date.parse(workspace.state.durability.upTo ?? "") >= pressedAt);
			took.push(Date.now() - pressedAt);
		}
		workspace.close();
		await site.stop(workspace.projectId);
	});
	const p95 = quantile(took, 0.95);
	const figure = bounded("Key pressed to durable", took, "ms");
	return [{ ...figure, goal: `p95 <= ${mostMs} ms`, met: p95 <= mostMs }];
}

async function openDocument(site: SiteClient) {
	const project = await site.createProject("python");
	const workspace = await WorkspaceClient.open(site, project.id);
	await workspace.connect();
	workspace.send({ type: "openDocument", path: "main.py" });
	const opened = await eventually("the document", () =>
		workspace.received.find(({ type }) => type === "documentOpened"),
	);
	if (opened.type !== "documentOpened") throw new Error("the document was not opened");
	const typist = createTypist(opened.document, (frame) => workspace.sendFrame(frame));
	await eventually("its content", () => workspace.binary.length > 0);
	for (const frame of workspace.binary) typist.receive(frame);
	return { workspace, type: typist.type };
}
