import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import { setSessionCookie } from "better-auth/cookies";
import { z } from "zod";
import { passwordMaxLength, passwordMinLength } from "../domain/user-name.ts";

/**
 * What a one-time operator link does, as a better-auth plugin because only an endpoint of better-auth can begin a
 * session. Its endpoints have no address of their own: the caller has checked and claimed the link.
 */
export function operatorSignIn() {
	return {
		id: "operator-sign-in",
		endpoints: {
			/** Makes an administrator with a password and signs them in. */
			createAdministrator: createAuthEndpoint.serverOnly(
				{
					method: "POST",
					body: z.object({
						name: z.string(),
						email: z.email(),
						password: z.string().min(passwordMinLength).max(passwordMaxLength),
					}),
				},
				async (context) => {
					const { internalAdapter, password } = context.context;
					const email = context.body.email.toLowerCase();
					if (await internalAdapter.findUserByEmail(email)) {
						throw new APIError("UNPROCESSABLE_ENTITY", {
							code: "USER_ALREADY_EXISTS",
							message: "This email has an account.",
						});
					}
					const hash = await password.hash(context.body.password);
					const user = await internalAdapter.createUser(
						{ name: context.body.name, email, emailVerified: false, role: "admin" },
						{ method: "email-password" },
					);
					await internalAdapter.linkAccount({
						userId: user.id,
						providerId: "credential",
						accountId: user.id,
						password: hash,
					});
					const session = await internalAdapter.createSession(user.id);
					await setSessionCookie(context, { session, user });
					return { userId: user.id };
				},
			),
			/** Signs an existing person in without a password. */
			signInAs: createAuthEndpoint.serverOnly(
				{ method: "POST", body: z.object({ userId: z.string() }) },
				async (context) => {
					const { internalAdapter } = context.context;
					const user = await internalAdapter.findUserById(context.body.userId);
					if (!user) throw new APIError("NOT_FOUND", { message: "There is no such person." });
					const session = await internalAdapter.createSession(user.id);
					await setSessionCookie(context, { session, user });
					return { userId: user.id };
				},
			),
		},
	} satisfies BetterAuthPlugin;
}
