import type {
	DirectoryListing,
	Version,
	VersionChanges,
	VersionId,
	VersionList,
	VersionRestored,
} from "@repldock/protocol";
import type { Site } from "../connection/site.ts";

/** What is asked of site and node about versions; every failure is a `ProblemError` or the `TypeError` of a failed network. */
export type VersionClient = {
	list(page: { before: VersionId | null; named: boolean }): Promise<VersionList>;
	name(id: VersionId, name: string | null): Promise<Version>;
	/** Returns once the files as they are now are durable. */
	save(name: string): Promise<Version>;
	changes(id: VersionId): Promise<VersionChanges>;
	/** @param path A file or folder alone; null for the whole project. */
	restore(id: VersionId, path: string | null): Promise<VersionRestored>;
	files(id: VersionId, path: string): Promise<DirectoryListing>;
	content(id: VersionId, path: string, init?: RequestInit): Promise<Response>;
	/** Removes a file or folder of the project as it is now. */
	remove(path: string): Promise<void>;
	/** The file as it is now. */
	contentNow(path: string, init?: RequestInit): Promise<Response>;
};

type Node = {
	request(path: string, init?: RequestInit): Promise<Response>;
	read(path: string, init?: RequestInit): Promise<Response>;
	remove(path: string): Promise<void>;
};

export function createVersionClient(site: Pick<Site, "versions" | "nameVersion">, node: Node): VersionClient {
	async function send<Answer>(path: string, body: unknown): Promise<Answer> {
		const response = await node.request(path, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify(body),
		});
		return (await response.json()) as Answer;
	}
	const pathQuery = (path: string) => `path=${encodeURIComponent(path)}`;
	return {
		list: site.versions,
		name: site.nameVersion,
		save: (name) => send("/versions", { name }),
		restore: (id, path) => send(`/versions/${id}/restore`, path === null ? {} : { path }),
		async changes(id) {
			return (await (await node.request(`/versions/${id}/changes`)).json()) as VersionChanges;
		},
		async files(id, path) {
			return (await (await node.request(`/versions/${id}/files?${pathQuery(path)}`)).json()) as DirectoryListing;
		},
		content: (id, path, init) => node.request(`/versions/${id}/content?${pathQuery(path)}`, init),
		remove: node.remove,
		contentNow: (path, init) => node.read(path, init),
	};
}
