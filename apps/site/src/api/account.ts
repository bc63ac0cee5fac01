import { createRoute, z } from "@hono/zod-openapi";
import { RepldockError } from "@repldock/protocol";
import { UserName } from "../domain/user-name.ts";
import { createPersonalToken, deletePersonalToken, listPersonalTokens } from "../store/personal-tokens.ts";
import { renameUser } from "../store/users.ts";
import type { ApiParts } from "./context.ts";
import { routeGroup } from "./group.ts";
import { requireUser, sessionUser } from "./identity.ts";
import { answers, created, done, IdParameter, jsonBody, listOf, User } from "./schemas.ts";

/** More than anyone can keep apart. */
const tokensPerUser = 50;

const PersonalToken = z
	.object({ id: z.uuid(), name: z.string(), createdAt: z.string(), lastUsedAt: z.string().nullable() })
	.openapi("PersonalToken");

const readMe = createRoute({
	method: "get",
	path: "/me",
	tags: ["Account"],
	summary: "Who you are",
	responses: answers(User, "You."),
});

const changeMe = createRoute({
	method: "patch",
	path: "/me",
	tags: ["Account"],
	summary: "Change your name",
	request: jsonBody(z.object({ name: UserName })),
	responses: answers(User, "You, renamed."),
});

const listTokens = createRoute({
	method: "get",
	path: "/tokens",
	tags: ["Account"],
	summary: "Your personal tokens",
	responses: answers(listOf(PersonalToken), "All of them, without their secrets."),
});

const createToken = createRoute({
	method: "post",
	path: "/tokens",
	tags: ["Account"],
	summary: "Make a personal token",
	description: "The token is shown this once; only its digest is kept. Send it as `Authorization: Bearer rd_…`.",
	request: jsonBody(z.object({ name: UserName })),
	responses: created(PersonalToken.extend({ token: z.string() }), "The token."),
});

const deleteToken = createRoute({
	method: "delete",
	path: "/tokens/{id}",
	tags: ["Account"],
	summary: "Revoke a personal token",
	request: { params: IdParameter },
	responses: done("It works no more."),
});

export function accountRoutes({ auth, database }: Pick<ApiParts, "auth" | "database">) {
	return routeGroup()
		.openapi(readMe, (context) => context.json(requireUser(context), 200))
		.openapi(changeMe, async (context) => {
			const user = requireUser(context);
			const { name } = context.req.valid("json");
			await renameUser(database, user.id, name);
			if (context.req.header("authorization") === undefined) {
				// The cookie carries a copy of the name.
				const { cookies } = await sessionUser(auth, context.req.raw.headers, { fresh: true });
				for (const cookie of cookies) context.header("set-cookie", cookie, { append: true });
			}
			return context.json({ ...user, name }, 200);
		})
		.openapi(listTokens, async (context) => {
			const tokens = await listPersonalTokens(database, requireUser(context).id);
			return context.json({ items: tokens.map(toApi), nextCursor: null }, 200);
		})
		.openapi(createToken, async (context) => {
			const user = requireUser(context);
			if ((await listPersonalTokens(database, user.id)).length >= tokensPerUser) {
				throw new RepldockError("not_allowed", `You have ${tokensPerUser} tokens. Revoke one that you do not use.`);
			}
			const { token, ...row } = await createPersonalToken(database, user.id, context.req.valid("json").name);
			return context.json({ ...toApi(row), token }, 201);
		})
		.openapi(deleteToken, async (context) => {
			const found = await deletePersonalToken(database, requireUser(context).id, context.req.valid("param").id);
			if (!found) throw new RepldockError("not_found", "You have no such token.");
			return context.body(null, 204);
		});
}

function toApi(token: { id: string; name: string; createdAt: Date; lastUsedAt: Date | null }) {
	return {
		id: token.id,
		name: token.name,
		createdAt: token.createdAt.toISOString(),
		lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
	};
}
