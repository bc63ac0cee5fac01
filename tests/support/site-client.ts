import type { Project, TicketGrant } from "@repldock/protocol";
import type { TestInstance } from "./instance.ts";

/** An answer that was not a success: the problem's machine code and sentence. */
export class ApiError extends Error {
	readonly status: number;
	readonly code: string;

	constructor(status: number, code: string, detail: string) {
		super(`${status} ${code}: ${detail}`);
		this.status = status;
		this.code = code;
	}
}

/** Drives the site's API as a program would: with a personal token, or with the cookie of a signed-in person. */
export class SiteClient {
	readonly siteUrl: string;
	private readonly headers: Record<string, string>;

	constructor(siteUrl: string, credentials: { token: string } | { cookie: string }) {
		this.siteUrl = siteUrl;
		this.headers =
			"token" in credentials
				? { authorization: `Bearer ${credentials.token}` }
				: { cookie: credentials.cookie, origin: siteUrl };
	}

	/** Uses the operator's one-time link and becomes the first administrator. */
	static async welcome(
		instance: TestInstance,
		person: { name: string; email: string; password: string },
	): Promise<SiteClient> {
		const token = new URL(instance.operatorLink).searchParams.get("token");
		const response = await fetch(`${instance.siteUrl}/api/v1/welcome`, {
			method: "POST",
			headers: { "content-type": "application/json", origin: instance.siteUrl },
			body: JSON.stringify({ token, ...person }),
		});
		if (!response.ok) throw new Error(`The operator's link was refused: ${await response.text()}`);
		return new SiteClient(instance.siteUrl, { cookie: cookiesOf(response) });
	}

	static signUp(siteUrl: string, person: { name: string; email: string; password: string }): Promise<SiteClient> {
		return SiteClient.comeIn(siteUrl, "sign-up", person);
	}

	static signIn(siteUrl: string, { email, password }: { email: string; password: string }): Promise<SiteClient> {
		return SiteClient.comeIn(siteUrl, "sign-in", { email, password });
	}

	private static async comeIn(siteUrl: string, how: "sign-up" | "sign-in", body: object): Promise<SiteClient> {
		const response = await fetch(`${siteUrl}/api/auth/${how}/email`, {
			method: "POST",
			headers: { "content-type": "application/json", origin: siteUrl },
			body: JSON.stringify(body),
		});
		if (!response.ok) throw new Error(`The ${how} was refused: ${response.status} ${await response.text()}`);
		return new SiteClient(siteUrl, { cookie: cookiesOf(response) });
	}

	async call<T>(method: string, path: string, body?: unknown): Promise<T> {
		const response = await fetch(`${this.siteUrl}/api/v1${path}`, {
			method,
			headers: { ...this.headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		const text = await response.text();
		if (!response.ok) {
			const problem = JSON.parse(text) as { code: string; detail: string };
			throw new ApiError(response.status, problem.code, problem.detail);
		}
		return (text ? JSON.parse(text) : undefined) as T;
	}

	/** Where a page of the site sends this person on to; null when it shows itself. */
	async sentOnBy(url: string): Promise<string | null> {
		const response = await fetch(url, { headers: this.headers, redirect: "manual" });
		await response.arrayBuffer();
		return response.headers.get("location");
	}

	async createToken(name: string): Promise<string> {
		return (await this.call<{ token: string }>("POST", "/tokens", { name })).token;
	}

	createProject(template: string, rest: { name?: string; visibility?: "public" | "private" } = {}): Promise<Project> {
		return this.call("POST", "/projects", { template, ...rest });
	}

	project(id: string): Promise<Project> {
		return this.call("GET", `/projects/${id}`);
	}

	ticket(id: string): Promise<TicketGrant> {
		return this.call("POST", `/projects/${id}/ticket`);
	}

	stop(id: string): Promise<void> {
		return this.call("POST", `/projects/${id}/stop`);
	}
}

function cookiesOf(response: Response): string {
	return response.headers
		.getSetCookie()
		.map((cookie) => cookie.split(";")[0])
		.join("; ");
}
