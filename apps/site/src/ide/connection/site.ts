import type {
	NetworkSettings,
	Project,
	TicketGrant,
	TrafficSummary,
	Version,
	VersionId,
	VersionList,
} from "@repldock/protocol";
import { ProblemError, problemOfResponse } from "./problem.ts";

/** What this page asks of the site; all calls carry the person's session cookie. */
export type Site = {
	/** @throws ProblemError `sign_in_required`, `not_allowed`, `not_found`, `no_node`. */
	ticket(): Promise<TicketGrant>;
	project(): Promise<Project>;
	rename(name: string): Promise<Project>;
	/** What the project sent and received, by the ledger. */
	traffic(): Promise<TrafficSummary>;
	/** Answers to what an operator did to the network. */
	answerRestriction(text: string): Promise<Project>;
	/** For people who may edit. */
	network(): Promise<NetworkSettings>;
	/** The newest first, those before a version; `named`: those with a name alone. */
	versions(page: { before: VersionId | null; named: boolean }): Promise<VersionList>;
	/** Gives a version a name, or takes it away. For people who may edit. */
	nameVersion(id: VersionId, name: string | null): Promise<Version>;
};

/** @param siteUrl Where the site answers, with or without a slash at its end. */
export function createSite(siteUrl: string, projectId: string): Site {
	const base = `${siteUrl.replace(/\/+$/, "")}/api/v1/projects/${encodeURIComponent(projectId)}`;
	async function call(path: string, method: string, body?: unknown): Promise<unknown> {
		const response = await fetch(base + path, {
			method,
			credentials: "include",
			headers: { "content-type": "application/json" },
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		if (!response.ok) throw new ProblemError(await problemOfResponse(response));
		return response.json();
	}
	return {
		async ticket() {
			const grant = (await call("/ticket", "POST")) as Partial<TicketGrant>;
			if (typeof grant.ticket !== "string" || typeof grant.gatewayUrl !== "string") throw brokenAnswer("/ticket");
			return { ticket: grant.ticket, gatewayUrl: grant.gatewayUrl, rights: grant.rights === "edit" ? "edit" : "view" };
		},
		async project() {
			return readProject(await call("", "GET"));
		},
		async rename(name) {
			return readProject(await call("", "PATCH", { name }));
		},
		async traffic() {
			const summary = (await call("/traffic", "GET")) as Partial<TrafficSummary> | null;
			if (!summary?.today || !summary.month) throw brokenAnswer("/traffic");
			return { today: summary.today, month: summary.month };
		},
		async answerRestriction(text) {
			return readProject(await call("/network-answer", "POST", { text }));
		},
		async network() {
			const settings = (await call("/network", "GET")) as Partial<NetworkSettings> | null;
			if (typeof settings?.mode !== "string") throw brokenAnswer("the network");
			return settings as NetworkSettings;
		},
		async versions({ before, named }) {
			const query = new URLSearchParams({ ...(before ? { before } : {}), ...(named ? { named: "1" } : {}) });
			const path = query.size === 0 ? "/versions" : `/versions?${query}`;
			const list = (await call(path, "GET")) as Partial<VersionList> | null;
			if (!Array.isArray(list?.versions)) throw brokenAnswer("the versions");
			return { versions: list.versions, next: list.next ?? null };
		},
		async nameVersion(id, name) {
			const version = (await call(`/versions/${id}`, "PATCH", { name })) as Partial<Version> | null;
			if (typeof version?.id !== "string") throw brokenAnswer("the version");
			return version as Version;
		},
	};
}

function readProject(value: unknown): Project {
	const project = value as Partial<Project> | null;
	if (typeof project?.name !== "string" || typeof project.url !== "string") throw brokenAnswer("the project");
	return project as Project;
}

function brokenAnswer(what: string): ProblemError {
	return new ProblemError({
		code: "internal",
		status: 502,
		detail: `The site's answer for ${what} makes no sense. Reload the page; it may have been updated.`,
	});
}
