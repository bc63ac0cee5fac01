import { z } from "@hono/zod-openapi";
import * as protocol from "@repldock/protocol";
import { RepldockError } from "@repldock/protocol";

// Schemas that the OpenAPI document names are made anew here: only those made after @hono/zod-openapi was loaded can
// carry a name.
export const Project = z.object(protocol.Project.shape).openapi("Project");
export const Domain = z.object(protocol.Domain.shape).openapi("Domain");
export const Template = z.object(protocol.Template.shape).openapi("Template");
export const TicketGrant = z.object(protocol.TicketGrant.shape).openapi("TicketGrant");
const Problem = z.object({ type: z.string(), ...protocol.Problem.shape }).openapi("Problem");

export const User = z
	.object({ id: z.string(), name: z.string(), email: z.string(), role: z.enum(["admin", "user"]) })
	.openapi("User");

/** Lists come in pages: ask again with `cursor` set to `nextCursor` until that is null. */
export function listOf<Item extends z.ZodType>(item: Item) {
	return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

const noNul = (text: string) => !text.includes("\0");

export const PageQuery = z.object({
	cursor: z.string().max(300).optional(),
	limit: z.coerce.number().int().min(1).max(100).default(50),
});

export const SearchText = z.string().trim().max(200).refine(noNul, "A search cannot hold a NUL character.");

export const IdParameter = z.object({ id: z.uuid() });

/** The answers of a route: its success, and problems for all else. */
export function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
	return { 200: { description, content: { "application/json": { schema } } }, default: problemAnswer };
}

/** As `answers`, for routes that make something. */
export function created<Schema extends z.ZodType>(schema: Schema, description: string) {
	return { 201: { description, content: { "application/json": { schema } } }, default: problemAnswer };
}

/** As `answers`, for routes that have nothing to say. */
export function done(description: string) {
	return { 204: { description }, default: problemAnswer };
}

const problemAnswer = {
	description: "What went wrong: a machine code and a sentence for the person.",
	content: { "application/problem+json": { schema: Problem } },
};

export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
	return { body: { required: true, content: { "application/json": { schema } } } };
}

const Cursor = z.tuple([z.iso.datetime(), z.string().min(1).max(64).refine(noNul)]);

/** The place after a row that is ordered by a time and an id. */
export function writeCursor(time: Date, id: string): string {
	return Buffer.from(JSON.stringify([time.toISOString(), id])).toString("base64url");
}

/** @throws RepldockError `invalid_input` when it is not one that `writeCursor` made. */
export function readCursor(text: string | undefined): { time: Date; id: string } | undefined {
	if (text === undefined) return undefined;
	try {
		const [time, id] = Cursor.parse(JSON.parse(Buffer.from(text, "base64url").toString()));
		return { time: new Date(time), id };
	} catch (cause) {
		throw new RepldockError("invalid_input", "The cursor is not one that this list gave.", { cause });
	}
}
