import { readFileSync } from "node:fs";
import type { Template } from "@repldock/protocol";
import { expect, test } from "vitest";
import { visit, visitSocket } from "../support/visit.ts";
import { eventually } from "../support/wait.ts";
import { openProject } from "../support/world.ts";

interface Expectation {
	output?: string;
	http?: { path: string; contains: string };
	websocket?: { path: string; send: string; expect: string };
}

const folder = new URL("../../templates/", import.meta.url);
const templates = JSON.parse(readFileSync(new URL("index.json", folder), "utf8")) as Template[];
const expectations = JSON.parse(readFileSync(new URL("expectations.json", folder), "utf8")) as Record<
	string,
	Expectation
>;

test("every template says what it must show when it runs", () => {
	expect(templates.map(({ id }) => id).sort()).toEqual(Object.keys(expectations).sort());
});

for (const { id, name } of templates) {
	test(`the template ${name} runs and shows what it promises`, async () => {
		const { project, workspace } = await openProject(id, { visibility: "public" });
		const { output, http, websocket } = expectations[id] ?? {};
		if (output) {
			const result = await workspace.runToEnd();
			expect(result.output.replaceAll("\r\n", "\n")).toMatch(new RegExp(output));
			expect(result.exitCode).toBe(0);
		}
		if (http) {
			await workspace.run();
			const page = await eventually(
				`the page of ${name}`,
				async () => {
					const answer = await visit(new URL(http.path, project.url).href);
					return answer.status === 200 && answer;
				},
				60_000,
			);
			expect(page.body).toContain(http.contains);
		}
		if (websocket) {
			const socket = await visitSocket(project.url, websocket.path);
			const messages: string[] = [];
			socket.on("message", (data) => messages.push(String(data)));
			socket.send(websocket.send);
			await eventually("the echo", () => messages.some((message) => message.includes(websocket.expect)));
			socket.terminate();
		}
	}, 120_000);
}
