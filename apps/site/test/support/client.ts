const origin = "http://localhost:8080";
let clients = 0;

export interface Answer {
	readonly status: number;
	readonly headers: Headers;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
	readonly body: any;
}

/** What a browser does with the API: keeps cookies, names its origin. Each comes from an address of its own. */
export class Client {
	readonly #url: string;
	readonly cookies = new Map<string, string>();
	/** Sent with each request; tests change them. */
	headers: Record<string, string>;

	constructor(url: string) {
		this.#url = url;
		clients += 1;
		this.headers = { origin, "x-forwarded-for": `10.0.${clients >> 8}.${clients & 255}` };
	}

	/** The same person at another site instance. */
	at(instance: { url: string }): Client {
		const other = new Client(instance.url);
		for (const [name, value] of this.cookies) other.cookies.set(name, value);
		other.headers = { ...this.headers };
		return other;
	}

	get = (path: string) => this.send("GET", path);
	post = (path: string, body?: unknown) => this.send("POST", path, body);
	patch = (path: string, body: unknown) => this.send("PATCH", path, body);
	delete = (path: string) => this.send("DELETE", path);

	async send(method: string, path: string, body?: unknown): Promise<Answer> {
		const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
		const response = await fetch(this.#url + path, {
			method,
			headers: {
				...this.headers,
				...(cookie ? { cookie } : {}),
				...(body === undefined ? {} : { "content-type": "application/json" }),
			},
			...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
			redirect: "manual",
		});
		for (const header of response.headers.getSetCookie()) {
			const [pair = "", ...attributes] = header.split(";");
			const [name = "", ...value] = pair.split("=");
			if (attributes.some((attribute) => attribute.trim().toLowerCase() === "max-age=0")) this.cookies.delete(name);
			else this.cookies.set(name, value.join("="));
		}
		const text = await response.text();
		const isJson = response.headers.get("content-type")?.includes("json");
		return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
	}

	async signUp(name: string, password = "correct horse"): Promise<void> {
		const email = `${name.toLowerCase()}@example.com`;
		const answer = await this.post("/api/auth/sign-up/email", { name, email, password });
		if (answer.status !== 200) throw new Error(`sign-up: ${JSON.stringify(answer.body)}`);
	}

	signIn(email: string, password: string): Promise<Answer> {
		return this.post("/api/auth/sign-in/email", { email, password });
	}
}
