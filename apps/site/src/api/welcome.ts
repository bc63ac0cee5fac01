import { createRoute, z } from "@hono/zod-openapi";
import { parseInput, RepldockError } from "@repldock/protocol";
import { isAPIError } from "better-auth/api";
import { passwordMaxLength, passwordMinLength, UserName } from "../domain/user-name.ts";
import { claimOperatorLink, findOperatorLink, releaseOperatorLink } from "../store/operator-links.ts";
import { findFirstAdministrator } from "../store/users.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { problemOfAuth } from "./problems.ts";
import { answers, jsonBody, User } from "./schemas.ts";

const NewAdministrator = z.object({
	name: UserName,
	email: z.email("Give an email address."),
	password: z
		.string()
		.min(passwordMinLength, `Use at least ${passwordMinLength} characters.`)
		.max(passwordMaxLength, `Use at most ${passwordMaxLength} characters.`),
});

const welcome = createRoute({
	method: "post",
	path: "/welcome",
	tags: ["Account"],
	summary: "Use the operator's one-time link",
	description:
		"The link that `repldock up` prints. While there is no administrator it makes the first one, and `name`, `email` " +
		"and `password` must be given; the link stays good when they are missing or wrong. Afterwards it signs the first " +
		"administrator in and needs `token` alone.",
	security: [],
	request: jsonBody(
		z.object({
			token: z.string().min(1).max(200),
			name: z.unknown().optional(),
			email: z.unknown().optional(),
			password: z.unknown().optional(),
		}),
	),
	responses: answers(User, "Who is signed in now."),
});

const spent = () =>
	new RepldockError("wrong_credentials", "This link was used or is too old. Run `repldock up` again to get a new one.");

export function welcomeRoutes({ auth, database }: Pick<ApiParts, "auth" | "database">) {
	return routeGroup().openapi(welcome, async (context) => {
		const { token, ...person } = context.req.valid("json");
		const headers = context.req.raw.headers;
		const kind = await findOperatorLink(database, token);
		if (!kind) throw spent();
		const newAdministrator = kind === "first-administrator" ? parseInput(NewAdministrator, person) : null;

		if (!(await claimOperatorLink(database, token))) throw spent();
		try {
			const answer = newAdministrator
				? await auth.api.createAdministrator({ body: newAdministrator, headers, returnHeaders: true })
				: await auth.api.signInAs({ body: { userId: await administratorId() }, headers, returnHeaders: true });
			for (const cookie of answer.headers.getSetCookie()) context.header("set-cookie", cookie, { append: true });
		} catch (error) {
			await releaseOperatorLink(database, token);
			if (!isAPIError(error)) throw error;
			const problem = problemOfAuth(error.statusCode, error.body?.code, error.body?.message);
			throw new RepldockError(problem.code, problem.detail, { cause: error });
		}
		const administrator = await findFirstAdministrator(database);
		if (!administrator) throw new Error("The administrator vanished.");
		return context.json(administrator, 200);
	});

	async function administratorId(): Promise<string> {
		const administrator = await findFirstAdministrator(database);
		if (!administrator) throw spent();
		return administrator.id;
	}
}
