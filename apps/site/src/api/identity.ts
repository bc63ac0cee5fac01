import { RepldockError } from "@repldock/protocol";
import { createMiddleware } from "hono/factory";
import type { Auth } from "../auth/auth.ts";
import type { Database } from "../store/database.ts";
import { findUserByToken, personalTokenPrefix } from "../store/personal-tokens.ts";
import type { User } from "../store/users.ts";
import type { ApiContext, ApiEnvironment } from "./context.ts";

/** Methods that change nothing. */
const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Refuses requests that another site's page makes a browser send: one that changes something and rides on a cookie must
 * come from our own origin. An app's host name is another origin, but the same "site" to a browser, so that the
 * cookie's SameSite does not help. Tokens need no such care: no browser adds them by itself.
 */
export function sameOrigin(siteUrl: string) {
	const ours = new URL(siteUrl).origin;
	return createMiddleware(async (context, next) => {
		if (!safeMethods.has(context.req.method)) {
			const origin = context.req.header("origin");
			const ridesOnCookie = context.req.header("cookie") !== undefined;
			const usesToken = context.req.header("authorization") !== undefined && !context.req.path.startsWith("/api/auth/");
			if (!usesToken && origin !== ours && (ridesOnCookie || origin !== undefined)) {
				throw new RepldockError("not_allowed", `This request must come from a page of ${ours}.`);
			}
		}
		await next();
	});
}

/** Finds out who asks: the bearer of a personal token, or the session that the cookie names. */
export function identity(auth: Auth, database: Database) {
	return createMiddleware<ApiEnvironment>(async (context, next) => {
		const authorization = context.req.header("authorization");
		if (authorization !== undefined) {
			context.set("user", await bearerOf(database, authorization));
			return next();
		}
		if (context.req.header("cookie") === undefined) {
			context.set("user", null);
			return next();
		}
		const { user, cookies } = await sessionUser(auth, context.req.raw.headers, {
			fresh: !safeMethods.has(context.req.method),
		});
		context.set("user", user);
		await next();
		// A route that signs somebody in has set its own cookies, which come after and win.
		const own = context.res.headers.getSetCookie();
		if (own.length === 0) for (const cookie of cookies) context.header("set-cookie", cookie, { append: true });
	});
}

async function bearerOf(database: Database, authorization: string): Promise<User> {
	const token = /^Bearer ([\w-]{1,200})$/i.exec(authorization)?.[1];
	const user = token?.startsWith(personalTokenPrefix) ? await findUserByToken(database, token) : undefined;
	if (!user) throw new RepldockError("sign_in_required", "This token is not valid. Make a new one in your settings.");
	return user;
}

/**
 * Who a cookie belongs to, and the cookies that renew it.
 * @param options.fresh ask the database, instead of believing a cookie that may be a minute old.
 */
export async function sessionUser(
	auth: Auth,
	headers: Headers,
	options: { fresh: boolean },
): Promise<{ user: User | null; cookies: string[] }> {
	const answer = await auth.api.getSession({
		headers,
		query: { disableCookieCache: options.fresh },
		returnHeaders: true,
	});
	const user = answer.response?.user;
	return {
		user: user
			? { id: user.id, name: user.name, email: user.email, role: user.role === "admin" ? "admin" : "user" }
			: null,
		cookies: answer.headers.getSetCookie(),
	};
}

/** @throws RepldockError `sign_in_required` */
export function requireUser(context: ApiContext): User {
	const user = context.get("user");
	if (!user) throw new RepldockError("sign_in_required", "Sign in first.");
	return user;
}

/** @throws RepldockError `sign_in_required`, `not_allowed` */
export function requireAdministrator(context: ApiContext): User {
	const user = requireUser(context);
	if (user.role !== "admin") throw new RepldockError("not_allowed", "Only administrators may do this.");
	return user;
}
