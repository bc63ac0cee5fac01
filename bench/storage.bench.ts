import { measureHour } from "./storage/hour.ts";
import { measureKeystrokes } from "./storage/keystrokes.ts";
import { measureNode } from "./storage/node.ts";
import { measureProject } from "./storage/project.ts";
import { type Figure, report } from "./support/report.ts";

/*
 * Checkpoints through the agent's own parts, on btrfs in a loop file, with a folder as the object store; then the way of
 * a keystroke through a whole instance. A part's name as argument measures that part alone.
 */
const runs = 5;
const edits = 20;
const keystrokes = 20;

const parts: Readonly<Record<string, () => Promise<Figure[]>>> = {
	project: () => measureProject(runs, edits),
	node: () => measureNode(runs),
	hour: measureHour,
	keystrokes: () => measureKeystrokes(keystrokes),
};

const [wanted] = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const chosen = wanted === undefined ? Object.values(parts) : [parts[wanted]];
const figures: Figure[] = [];
for (const measure of chosen) {
	if (!measure) throw new Error(`Storage is measured in these parts: ${Object.keys(parts).join(", ")}.`);
	figures.push(...(await measure()));
}
report("storage", figures);
process.exit(0);
