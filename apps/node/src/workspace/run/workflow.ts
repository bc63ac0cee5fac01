import { installScripts } from "./packages.ts";
import type { ProjectFile, Workflow, WorkflowTask } from "./project-file-shape.ts";
import { parallel, sequence } from "./shell.ts";

/** A workflow as one shell text, and what its tasks say about the port that people want to see. */
export interface WorkflowPlan {
	/** Null when nothing in it can be done. */
	script: string | null;
	/** First `waitForPort`; one with output `webview` goes before others. */
	port: { port: number; webview: boolean } | null;
	warnings: string[];
}

/** More steps than any person writes; nested workflows multiply. */
const mostSteps = 200;

/** The workflow that Run starts; null, with a warning, when there is none of that name. */
export function findWorkflow(file: ProjectFile, warnings: string[]): Workflow | null {
	const { runButton, workflows } = file;
	if (runButton === null) return workflows[0] ?? null;
	const found = workflows.find(({ name }) => name === runButton);
	if (!found) warnings.push(`.replit has no workflow named "${runButton}", which its runButton asks for.`);
	return found ?? null;
}

export function planWorkflow(file: ProjectFile, workflow: Workflow, has: (path: string) => boolean): WorkflowPlan {
	const warnings: string[] = [];
	const waits: WorkflowTask[] = [];
	let steps = 0;

	function scriptOf(current: Workflow, within: readonly string[]): string | null {
		const scripts = current.tasks.flatMap((task) => scriptsOfTask(task, current, [...within, current.name]));
		if (scripts.length === 0) return null;
		return current.mode === "parallel" ? parallel(scripts) : sequence(scripts);
	}

	function scriptsOfTask(task: WorkflowTask, current: Workflow, within: readonly string[]): string[] {
		steps += 1;
		if (steps > mostSteps) {
			if (steps === mostSteps + 1)
				warnings.push(`The workflows have more than ${mostSteps} steps; the others are left out.`);
			return [];
		}
		if (task.waitForPort !== null) waits.push(task);
		if (task.task === "shell.exec") return task.args === "" ? [] : [task.args];
		if (task.task === "packager.installForAll") return installAll();
		if (task.task === "workflow.run") return nested(task.args, within);
		warnings.push(`The workflow "${current.name}" has a task "${task.task}", which is not known here; it is left out.`);
		return [];
	}

	/** One step, so that parallel tasks do not run two installers side by side. */
	function installAll(): string[] {
		const scripts = installScripts(has);
		return scripts.length === 0 ? [] : [sequence(scripts)];
	}

	function nested(name: string, within: readonly string[]): string[] {
		const found = file.workflows.find((candidate) => candidate.name === name);
		if (!found) warnings.push(`.replit has no workflow named "${name}"; the step that runs it is left out.`);
		else if (within.includes(name)) warnings.push(`The workflow "${name}" runs itself; that step is left out.`);
		else {
			const script = scriptOf(found, within);
			return script === null ? [] : [script];
		}
		return [];
	}

	const script = scriptOf(workflow, []);
	const shown = waits.find(({ webview }) => webview) ?? waits[0];
	const port = shown && shown.waitForPort !== null ? { port: shown.waitForPort, webview: shown.webview } : null;
	return { script, port, warnings };
}
