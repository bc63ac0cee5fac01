import type { DirectoryListing, FileEntry, PtySize, RunStarted } from "@repldock/protocol";
import type { AccessKeeper } from "./access.ts";
import { ProblemError, problemOfResponse } from "./problem.ts";

/** How often and how long after one another the node is asked for a container that the site has just called for. */
const mostWakes = 12;
const wakeEveryMs = 250;

/** HTTP requests to the node; every failure is a `ProblemError` or the `TypeError` of a failed network. */
export type NodeClient = ReturnType<typeof createNodeClient>;

export function createNodeClient(keeper: AccessKeeper) {
	/** One request; when the token is refused, once more with a new one. */
	async function request(path: string, init: RequestInit = {}): Promise<Response> {
		for (let attempt = 0; ; attempt++) {
			const access = await keeper.get();
			const headers = new Headers(init.headers);
			headers.set("authorization", `Bearer ${access.token}`);
			const response = await fetch(access.projectUrl + path, { ...init, headers });
			if (response.ok) return response;
			if (response.status === 401 && attempt === 0) {
				keeper.refused(access.token);
				continue;
			}
			throw new ProblemError(await problemOfResponse(response));
		}
	}
	const send = (path: string, method: string, body: unknown) =>
		request(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
	/** A request that needs the container. If the project was stopped meanwhile, it is called for first. */
	async function sendToContainer(path: string, body: unknown): Promise<Response> {
		for (let wakes = 0; ; wakes++) {
			const { token } = await keeper.get();
			try {
				return await send(path, "POST", body);
			} catch (error) {
				const stopped = error instanceof ProblemError && error.problem.code === "not_running";
				if (!stopped || wakes === mostWakes) throw error;
				// For a new token the site is asked, which wants the project to run from then on; the node hears of it soon.
				if (wakes === 0) keeper.refused(token);
				else await new Promise((resolve) => setTimeout(resolve, wakeEveryMs));
			}
		}
	}
	const contentPath = (path: string) => `/files/content?path=${encodeURIComponent(path)}`;

	return {
		request,
		async list(path: string): Promise<DirectoryListing> {
			return (await (await request(`/files?path=${encodeURIComponent(path)}`)).json()) as DirectoryListing;
		},
		async read(path: string, init?: RequestInit): Promise<Response> {
			return request(contentPath(path), init);
		},
		/** Makes an empty file. @throws ProblemError `already_exists` */
		async createFile(path: string): Promise<void> {
			await request(`${contentPath(path)}&overwrite=0`, { method: "PUT", body: "" });
		},
		async createDirectory(path: string): Promise<FileEntry> {
			return (await (await send("/files/directory", "POST", { path })).json()) as FileEntry;
		},
		async move(from: string, to: string): Promise<void> {
			await send("/files/move", "POST", { from, to });
		},
		async remove(path: string): Promise<void> {
			await request(`/files?path=${encodeURIComponent(path)}`, { method: "DELETE" });
		},
		/** @param onProgress Bytes sent so far. */
		async upload(
			path: string,
			content: Blob,
			options: { overwrite: boolean; onProgress: (sentBytes: number) => void; signal: AbortSignal },
		): Promise<void> {
			const access = await keeper.get();
			const url = `${access.projectUrl}${contentPath(path)}${options.overwrite ? "" : "&overwrite=0"}`;
			const response = await sendWithProgress("PUT", url, { ...options, token: access.token, content });
			if (response.status === 401) keeper.refused(access.token);
			if (!response.ok) throw new ProblemError(await problemOfResponse(response));
		},
		async run(options: PtySize & { file?: string }): Promise<RunStarted> {
			return (await (await sendToContainer("/run", options)).json()) as RunStarted;
		},
		/** Returns once the whole process tree is gone. */
		async stop(): Promise<void> {
			await request("/stop", { method: "POST" });
		},
		async createTerminal(size: PtySize): Promise<{ ptyId: string }> {
			return (await (await sendToContainer("/terminals", size)).json()) as { ptyId: string };
		},
		async closePty(ptyId: string): Promise<void> {
			await request(`/ptys/${encodeURIComponent(ptyId)}`, { method: "DELETE" });
		},
	};
}

/** Sends a body through XMLHttpRequest, since `fetch` tells no progress of what it sends. */
export function sendWithProgress(
	method: "PUT" | "POST",
	url: string,
	options: { token: string; content: Blob; onProgress: (sentBytes: number) => void; signal: AbortSignal },
): Promise<Response> {
	const { signal } = options;
	return new Promise((resolve, reject) => {
		const call = new XMLHttpRequest();
		const abort = () => call.abort();
		call.open(method, url);
		call.setRequestHeader("authorization", `Bearer ${options.token}`);
		call.upload.onprogress = (event) => options.onProgress(event.loaded);
		call.onload = () => {
			// A Response of 204 must have no body, hence the null.
			resolve(new Response(call.status === 204 ? null : call.responseText, { status: call.status }));
		};
		call.onerror = () => reject(new TypeError("The upload broke off."));
		call.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
		call.onloadend = () => signal.removeEventListener("abort", abort);
		signal.addEventListener("abort", abort);
		if (signal.aborted) abort();
		else call.send(options.content);
	});
}
