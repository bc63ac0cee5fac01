import type { Logger } from "@repldock/service";
import { betterAuth } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import { passwordMaxLength, passwordMinLength, UserName } from "../domain/user-name.ts";
import { countAttempt, forgetAttempts } from "../store/attempts.ts";
import type { Database } from "../store/database.ts";
import { readSettings } from "../store/settings.ts";
import { clientAddressHeader } from "./client-address.ts";
import { operatorSignIn } from "./operator-sign-in.ts";

export const authBasePath = "/api/auth";

export interface AuthOptions {
	readonly database: Database;
	readonly siteUrl: string;
	readonly secret: string;
	readonly log: Logger;
	readonly signInWindowMs: number;
	readonly signInAddressLimit: number;
	readonly signInAccountLimit: number;
}

/** Paths of better-auth that have no use without mail and other providers. */
const disabledPaths = [
	"/sign-in/social",
	"/link-social",
	"/unlink-account",
	"/request-password-reset",
	"/reset-password",
	"/reset-password/:token",
	"/send-verification-email",
	"/verify-email",
	"/change-email",
	"/delete-user",
	"/delete-user/callback",
	"/refresh-token",
	"/get-access-token",
	"/account-info",
	"/callback/:id",
];

/** Accounts by email and password. All its state is in the database, so any site instance may answer any request. */
export function createAuth(options: AuthOptions) {
	const { database, log } = options;
	const windowSeconds = Math.ceil(options.signInWindowMs / 1000);
	const credentialRule = { window: windowSeconds, max: options.signInAddressLimit };

	return betterAuth({
		appName: "Repldock",
		baseURL: options.siteUrl,
		basePath: authBasePath,
		secret: options.secret,
		trustedOrigins: [new URL(options.siteUrl).origin],
		database: { db: database, type: "postgres" },
		disabledPaths,
		telemetry: { enabled: false },
		logger: {
			log: (level, message) => log[level]({ part: "auth" }, message),
		},
		emailAndPassword: {
			enabled: true,
			minPasswordLength: passwordMinLength,
			maxPasswordLength: passwordMaxLength,
		},
		user: {
			modelName: "users",
			additionalFields: {
				// `input: false`: no client can set it.
				role: { type: "string", required: false, defaultValue: "user", input: false },
			},
		},
		session: {
			modelName: "sessions",
			expiresIn: 30 * 24 * 3600,
			updateAge: 24 * 3600,
			// A short time, since a session that was ended goes on for it; requests that change something ask the database.
			cookieCache: { enabled: true, maxAge: 60 },
		},
		account: { modelName: "accounts" },
		verification: { modelName: "verifications" },
		rateLimit: {
			enabled: true,
			storage: "database",
			modelName: "rateLimits",
			window: windowSeconds,
			max: 5 * options.signInAddressLimit,
			customRules: {
				"/sign-in/email": credentialRule,
				"/sign-up/email": credentialRule,
				"/change-password": credentialRule,
				// Answered from the cookie; a write to the database for each would cost more than it protects.
				"/get-session": false,
			},
		},
		advanced: {
			cookiePrefix: "repldock",
			useSecureCookies: options.siteUrl.startsWith("https://"),
			disableOriginCheck: false,
			ipAddress: { ipAddressHeaders: [clientAddressHeader] },
		},
		databaseHooks: {
			user: {
				create: { before: async (user) => ({ data: { ...user, name: checkedName(user.name) } }) },
				update: {
					before: async (change) => ({
						data: change.name === undefined ? change : { ...change, name: checkedName(change.name) },
					}),
				},
			},
		},
		hooks: {
			before: createAuthMiddleware(async (context) => {
				if (context.path === "/sign-up/email" && (await readSettings(database)).registration === "closed") {
					throw new APIError("FORBIDDEN", {
						code: "REGISTRATION_CLOSED",
						message: "This site takes no new accounts. Ask its operator for one.",
					});
				}
				if (context.path === "/sign-in/email") await limitAccount(context.body);
			}),
			after: createAuthMiddleware(async (context) => {
				if (context.path === "/sign-in/email" && context.context.newSession) {
					await forgetAttempts(database, accountKey(context.context.newSession.user.email));
				}
			}),
		},
		plugins: [operatorSignIn()],
	});

	/** Guessing one account's password from many addresses must be as slow as from one. */
	async function limitAccount(body: unknown): Promise<void> {
		const email = typeof body === "object" && body !== null && "email" in body ? body.email : undefined;
		if (typeof email !== "string" || email.length > 320) return;
		const { count, endsAtMs } = await countAttempt(database, accountKey(email), options.signInWindowMs);
		if (count <= options.signInAccountLimit) return;
		const seconds = Math.max(1, Math.ceil((endsAtMs - Date.now()) / 1000));
		throw new APIError("TOO_MANY_REQUESTS", {
			code: "TOO_MANY_REQUESTS",
			message: `Too many attempts to sign in to this account. Try again in ${seconds} s.`,
		});
	}
}

export type Auth = ReturnType<typeof createAuth>;

function accountKey(email: string): string {
	// NUL cannot be stored; better-auth refuses such an address right after.
	return `account:${email.toLowerCase().replaceAll("\0", "")}`;
}

function checkedName(name: unknown): string {
	const result = UserName.safeParse(name);
	if (result.success) return result.data;
	throw new APIError("BAD_REQUEST", {
		code: "INVALID_NAME",
		message: result.error.issues[0]?.message ?? "Say your name.",
	});
}
