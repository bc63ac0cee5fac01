import { Hono } from "hono";
import { z } from "zod";
import type { Auth } from "../auth/auth.ts";
import { problemOfAuth, problemResponse } from "./problems.ts";

const Refusal = z.object({ code: z.string().optional(), message: z.string().optional() });

/** better-auth's own endpoints, with their refusals in the shape of all our problems. */
export function authRoutes(auth: Auth) {
	return new Hono().all("*", async (context) => {
		const answer = await auth.handler(await withoutEmptyBody(context.req.raw));
		if (answer.status < 400) {
			const headers = new Headers(answer.headers);
			headers.set("cache-control", "no-store");
			return new Response(answer.body, { status: answer.status, headers });
		}
		const body = Refusal.safeParse(parseJson(await answer.text()));
		const problem = problemOfAuth(answer.status, body.data?.code, body.data?.message);
		const retryAfter = answer.headers.get("x-retry-after");
		const refused = problemResponse(problem, retryAfter ? { "retry-after": retryAfter } : {});
		// A refusal may still end a session that is not valid any more.
		for (const cookie of answer.headers.getSetCookie()) refused.headers.append("set-cookie", cookie);
		return refused;
	});
}

/** better-auth refuses an empty body for its missing type; Node gives every POST a body, if only an empty one. */
async function withoutEmptyBody(request: Request): Promise<Request> {
	if (request.method === "GET" || request.method === "HEAD") return request;
	const text = await request.text();
	const headers = new Headers(request.headers);
	if (text === "") headers.delete("content-type");
	return new Request(request.url, { method: request.method, headers, ...(text === "" ? {} : { body: text }) });
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// better-auth answers some refusals with an empty body; the status says enough.
		return {};
	}
}
