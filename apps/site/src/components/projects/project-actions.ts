import type { Project } from "@repldock/protocol";
import { toast } from "@repldock/ui";
import { callApi, sentenceOf } from "../api/client.ts";
import type { Projects } from "./use-projects.ts";

/** Makes a public project private or the other way round. */
export async function toggleVisibility(project: Project, projects: Projects): Promise<void> {
	const visibility = project.visibility === "public" ? "private" : "public";
	await attempt(`${project.name} is still ${project.visibility}`, async () => {
		projects.put(await callApi<Project>("PATCH", `/api/v1/projects/${project.id}`, { visibility }));
		const who = visibility === "public" ? "Everyone can see it and visit its app." : "Only you can see it.";
		toast({ title: `${project.name} is ${visibility} now`, detail: who });
	});
}

/** Stops a project's container. */
export async function stopProject(project: Project, projects: Projects): Promise<void> {
	await attempt(`${project.name} did not stop`, async () => {
		await callApi("POST", `/api/v1/projects/${project.id}/stop`);
		projects.reload();
	});
}

/** Moves a project to the trash; the message it leaves can bring it back. */
export async function deleteProject(project: Project, projects: Projects): Promise<void> {
	projects.remove(project.id);
	const done = await attempt(`${project.name} was not deleted`, () =>
		callApi("DELETE", `/api/v1/projects/${project.id}`),
	);
	if (!done) return projects.put(project);
	toast({
		title: `Deleted ${project.name}`,
		detail: "It stays in the trash for a while.",
		durationMs: 10_000,
		action: { label: "Undo", onSelect: () => void restoreProject(project, projects) },
	});
}

async function restoreProject(project: Project, projects: Projects): Promise<void> {
	await attempt(`${project.name} is still in the trash`, async () => {
		await callApi("POST", `/api/v1/projects/${project.id}/restore`);
		projects.put({ ...project, deletedAt: null, purgeAt: null });
	});
}

/** @returns whether it worked; says so to the person when it did not. */
async function attempt(failure: string, action: () => Promise<void>): Promise<boolean> {
	try {
		await action();
		return true;
	} catch (error) {
		toast({ title: failure, detail: sentenceOf(error), tone: "danger" });
		return false;
	}
}
