import type { ImportTarget, Project, Visibility } from "@repldock/protocol";
import { projectNameMaxLength } from "@repldock/protocol/constants";
import { createAccessKeeper } from "../../ide/connection/access.ts";
import { createNodeClient } from "../../ide/connection/node-client.ts";
import { ProblemError, problemOf } from "../../ide/connection/problem.ts";
import { createSite } from "../../ide/connection/site.ts";
import { archiveName, createTransfers, type Transfers } from "../../ide/transfer/transfers.ts";
import { ApiProblem, callApi } from "../api/client.ts";

export type ImportSource = { kind: "file"; file: File } | { kind: "git"; url: string; history: "latest" | "full" };

/** Its files give way to the imported ones; it is the smallest there is. */
const startTemplate = "bash";

const wholeProject: ImportTarget = { into: "project" };

/** What the node is asked for a project's archives, by a page that has not opened it. */
export function transfersOf(projectId: string): Transfers {
	const access = createAccessKeeper(createSite("", projectId), projectId);
	return createTransfers(access, createNodeClient(access));
}

/**
 * Makes a project of files from elsewhere. When they are refused, the project that was made for them goes to the trash.
 * @param onProgress 0 to 1 while a file is sent; undefined while the node is at work.
 * @throws ApiProblem
 */
export async function importProject(
	source: ImportSource,
	details: { name: string; visibility: Visibility },
	options: { onProgress: (sent: number | undefined) => void; signal: AbortSignal },
): Promise<Project> {
	const { onProgress, signal } = options;
	const project = await callApi<Project>("POST", "/api/v1/projects", {
		template: startTemplate,
		visibility: details.visibility,
		name: details.name || nameOf(source),
	});
	try {
		const transfers = transfersOf(project.id);
		onProgress(undefined);
		if (source.kind === "git") {
			await transfers.clone({ url: source.url, history: source.history }, wholeProject, signal);
		} else {
			const { size } = source.file;
			const tell = (sentBytes: number) => onProgress(sentBytes < size ? sentBytes / size : undefined);
			await transfers.upload(source.file, wholeProject, { onProgress: tell, signal });
		}
		return project;
	} catch (error) {
		await callApi("DELETE", `/api/v1/projects/${project.id}`).catch((cause: unknown) =>
			console.warn("A project without its files was kept:", cause),
		);
		if (signal.aborted) throw new ApiProblem("unknown", "The import was cancelled.");
		if (!(error instanceof ProblemError || error instanceof TypeError)) throw error;
		const { code, detail } = problemOf(error);
		throw new ApiProblem(code, detail, source.kind === "git" && code === "invalid_input" ? { url: detail } : {});
	}
}

function nameOf(source: ImportSource): string {
	const last = source.kind === "file" ? source.file.name : (source.url.replace(/\/+$/, "").split("/").at(-1) ?? "");
	const name = archiveName(last.replace(/\.git$/, ""))
		.replaceAll(/\p{Cc}/gu, " ")
		.trim()
		.slice(0, projectNameMaxLength);
	return name || "Imported project";
}
