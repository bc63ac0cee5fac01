import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { programDirectory } from "../machine/postgres.ts";

/** A row of a dumped table: its name, and its values as COPY writes them. */
interface DumpedRow {
	table: string;
	values: Readonly<Record<string, string>>;
}

/**
 * Keys of the objects that a dumped database needs, read from the dump itself. Those that it knows to be missing are not
 * among them: scrubbing has found that out, and `doctor` says so.
 * @param dump in PostgreSQL's custom format; read to its end, so that its sum is checked.
 */
export async function neededObjects(dump: Readable): Promise<Set<string>> {
	const keys = new Map<string, string>();
	const missing = new Set<string>();
	for await (const { table, values } of readRows(dump, ["checkpoints", "damaged_checkpoints"])) {
		const id = `${values.project_id}/${values.generation}/${values.sequence}`;
		if (table === "checkpoints" && values.object_key !== undefined) keys.set(id, values.object_key);
		if (table === "damaged_checkpoints" && values.problem === "missing") missing.add(id);
	}
	return new Set([...keys].flatMap(([id, key]) => (missing.has(id) ? [] : [key])));
}

/** @throws Error when it is no dump, or what its stream throws. */
async function* readRows(dump: Readable, tables: readonly string[]): AsyncGenerator<DumpedRow> {
	const program = join(await programDirectory(), "pg_restore");
	const selected = tables.map((table) => `--table=${table}`);
	const child = spawn(program, ["--data-only", "--file=-", ...selected], {
		cwd: "/",
		stdio: ["pipe", "pipe", "pipe"],
		env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" },
	});
	const ended = once(child, "close");
	let said = "";
	child.stderr.on("data", (chunk: Buffer) => {
		said = (said + chunk.toString()).slice(-4000);
	});
	let takesMore = true;
	child.stdin.on("error", () => {
		// It has what it needs, or has failed, which its exit code tells.
		takesMore = false;
	});
	const fed = (async () => {
		for await (const chunk of dump) {
			if (!takesMore || child.stdin.write(chunk)) continue;
			await Promise.race([once(child.stdin, "drain"), ended]).catch(() => undefined);
		}
		child.stdin.end();
	})();
	// Waited for below.
	fed.catch(() => child.kill());
	ended.catch(() => undefined);
	try {
		let table: { name: string; columns: string[] } | undefined;
		for await (const line of linesOf(child.stdout)) {
			const copy = /^COPY (?:\w+\.)?(\w+) \((.*)\) FROM stdin;$/.exec(line);
			if (!table && copy) table = { name: copy[1] ?? "", columns: (copy[2] ?? "").split(", ") };
			else if (line === "\\.") table = undefined;
			else if (table) {
				const cells = line.split("\t");
				const values = Object.fromEntries(table.columns.map((column, at) => [column, cells[at] ?? ""]));
				yield { table: table.name, values };
			}
		}
		await fed;
		const [code] = await ended;
		if (code !== 0) throw new Error(`The dump of the database could not be read back: ${said.trim()}`);
	} finally {
		child.kill();
	}
}

/** By line feeds alone: what people write may hold other ends of lines. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
	let rest = "";
	for await (const text of stream.setEncoding("utf8")) {
		const lines = (rest + text).split("\n");
		rest = lines.pop() ?? "";
		yield* lines;
	}
	if (rest !== "") yield rest;
}
