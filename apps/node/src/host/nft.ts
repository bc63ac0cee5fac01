import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError, runCommand } from "@repldock/service";
import { ConversationError, createConversation } from "./conversation.ts";
import { readTables } from "./filter-tables.ts";
import { createOwnProcesses } from "./own-processes.ts";

/** Applies a script at once or not at all. @throws CommandError when the kernel refuses it. */
export async function applyScript(script: string): Promise<void> {
	await processes.during((started) => runCommand("nft", ["-f", "-"], { input: script, started }));
}

const processes = createOwnProcesses();

const conversation = createConversation({
	program: "nft",
	processes,
	arguments: ["--interactive"],
	complaint: (word) => new RegExp(`Error: .*\\n${word}\\n *\\^+\\n`),
});
/** More than this is not worth the haste, and no more than a line editor takes. */
const mostLineBytes = 32_768;

/**
 * As `applyScript` by an `nft` that runs already: for commands that each stand on a line of their own.
 * @throws CommandError when the kernel refuses one; then none is applied.
 */
export async function applyLines(lines: readonly string[]): Promise<void> {
	const line = lines.join("; ");
	if (line.length > mostLineBytes) return applyScript(`${lines.join("\n")}\n`);
	let printed: string;
	try {
		printed = await conversation.say(line);
	} catch (error) {
		if (error instanceof ConversationError) return applyScript(`${lines.join("\n")}\n`);
		throw error;
	}
	if (printed.trim() !== "") throw new CommandError("nft --interactive", null, printed, undefined);
}

/** Whether the tables are changed by this process. */
export const changesTables = processes.has;

/** Both tables of this name as JSON. @returns null when one of them is missing. */
export async function listTables(table: string): Promise<string | null> {
	try {
		const [inet, bridge] = await Promise.all(
			["inet", "bridge"].map((family) => runCommand("nft", ["--json", "list", "table", family, table])),
		);
		return joinListings([inet ?? "", bridge ?? ""]);
	} catch (error) {
		if (error instanceof CommandError && error.stderr.includes("No such file or directory")) return null;
		throw error;
	}
}

const bases = new Map<string, Promise<string>>();

/** Chains and sets of a script as the kernel shows them, to compare with; worked out once. */
export function wantedBase(script: string, table: string): Promise<string> {
	const known = bases.get(script);
	if (known) return known;
	const asked = listAfter(script, table).then((json) => readTables(json).base);
	bases.set(script, asked);
	asked.catch(() => bases.delete(script));
	return asked;
}

/** Makes the tables anew, without members, unless their chains and sets are as the script makes them. */
export async function ensureTables(script: string, table: string): Promise<void> {
	const json = await listTables(table);
	if (json !== null && readTables(json).base === (await wantedBase(script, table))) return;
	await applyScript(script);
}

/** What the kernel would list after this script, tried in a network namespace of its own: one that holds nothing else. */
async function listAfter(script: string, table: string): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-filter-"));
	try {
		const file = join(directory, "script.nft");
		await writeFile(file, script);
		// A listing in the script itself would show what was before it.
		const steps = 'nft -f "$1" && nft --json list table inet "$2" && nft --json list table bridge "$2"';
		const output = await runCommand("unshare", ["--net", "/bin/sh", "-c", steps, "sh", file, table]);
		return joinListings(output.split("\n").filter((line) => line !== ""));
	} finally {
		await rm(directory, { recursive: true });
	}
}

function joinListings(listings: readonly string[]): string {
	const parts = listings.flatMap((text) => (JSON.parse(text) as { nftables: unknown[] }).nftables);
	return JSON.stringify({ nftables: parts });
}
