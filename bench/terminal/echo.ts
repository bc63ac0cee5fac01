import { setTimeout as delay } from "node:timers/promises";
import type { SiteClient } from "../../tests/support/site-client.ts";
import { eventually } from "../../tests/support/wait.ts";
import { WorkspaceClient } from "../../tests/support/workspace-client.ts";
import { attachTimed } from "../support/console.ts";

/** A fast typist's pause between keys. */
const pauseMs = 15;
const discarded = 10;

/**
 * Keystroke → echo at the browser's socket in milliseconds, by a program that echoes itself (a raw terminal and `cat`),
 * so that the way into the container and back is walked in full.
 */
export async function measureEcho(site: SiteClient, projectId: string, runs: number): Promise<number[]> {
	const workspace = await WorkspaceClient.open(site, projectId);
	const untimed = await workspace.openTerminal();
	const { ptyId } = untimed;
	untimed.close();
	const { opened, arrival } = attachTimed(workspace, ptyId);
	const pty = await opened;
	pty.type("stty raw -echo; echo READ''Y; exec cat\r");
	await eventually("cat", () => pty.text.includes("READY"));
	const samples: number[] = [];
	for (let run = 0; run < discarded + runs; run += 1) {
		await delay(pauseMs);
		const key = String.fromCharCode(0x61 + (run % 26));
		const arrived = arrival(key);
		const pressedAtMs = performance.now();
		pty.type(key);
		const tookMs = (await arrived) - pressedAtMs;
		if (run >= discarded) samples.push(tookMs);
	}
	pty.close();
	await workspace.request("DELETE", `/ptys/${ptyId}`);
	return samples;
}
