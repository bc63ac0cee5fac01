import { z } from "zod";
import { ProjectId } from "./project.ts";

/**
 * What visitors asked of an app, as its edge saw it.
 *
 * Edge → agent, HTTP over the edge's unix socket:
 *   GET /visits              → VisitBatch; waits up to 20 s for something to tell, and hands each record out once
 *   GET /counters[?project=] → EdgeCounters
 */

/** One request when it was over; a WebSocket already when it begins, and again with the same id when it is over. */
export const AppRequest = z.object({
	/** Rises within a project. */
	id: z.int(),
	/** When it began, in milliseconds since 1970. */
	atMs: z.number(),
	/** As the visitor wrote it, with its port; cut at 128 bytes. */
	host: z.string(),
	method: z.string(),
	/** With the query, undecoded, cut at 512 bytes. */
	path: z.string(),
	/** 499 when the visitor did not wait for an answer. */
	status: z.int(),
	durationMs: z.number(),
	bytesIn: z.number(),
	bytesOut: z.number(),
	/** The visitor's; null once it was kept for as long as it may. */
	address: z.string().nullable(),
	/** For example `HTTP/1.1`. */
	protocol: z.string(),
	/** `edge` for a page of ours, and where nobody answered. */
	answeredBy: z.enum(["app", "edge"]),
	/** Cut at 200 bytes. */
	userAgent: z.string().nullable(),
	/** A WebSocket that has not ended: times and bytes are those of its beginning. */
	open: z.boolean().default(false),
});
export type AppRequest = z.infer<typeof AppRequest>;

/** A record of the edge, which does not number them. */
export const VisitRecord = AppRequest.omit({ id: true }).extend({
	projectId: ProjectId,
	address: z.string(),
	userAgent: z.string().nullable().default(null),
	/** What the two records of a WebSocket have in common; null for everything else. */
	socket: z.string().nullable().default(null),
});
export type VisitRecord = z.infer<typeof VisitRecord>;

/** Records oldest first. `unrecorded`: how many more requests of a project were counted but not recorded. */
export const VisitBatch = z.object({
	/** As in EdgeCounters: WebSockets that were told of in another one are over. */
	epoch: z.string().default(""),
	records: z.array(VisitRecord),
	unrecorded: z.record(ProjectId, z.int()),
});
export type VisitBatch = z.infer<typeof VisitBatch>;

/** All that was ever asked of one project on this node, by class of status; bytes with headers and WebSockets. */
export const RequestTotals = z.object({
	requests: z.object({
		"1xx": z.number(),
		"2xx": z.number(),
		"3xx": z.number(),
		"4xx": z.number(),
		"5xx": z.number(),
	}),
	bytesIn: z.number(),
	bytesOut: z.number(),
});
export type RequestTotals = z.infer<typeof RequestTotals>;

/**
 * Totals only rise within one `epoch`; another one begins at nothing with each start of NGINX. They are about 50 ms behind.
 */
export const EdgeCounters = z.object({ epoch: z.string(), projects: z.record(z.string(), RequestTotals) });
export type EdgeCounters = z.infer<typeof EdgeCounters>;

/** Answer to `GET …/requests`: newest first. `totals` is null while the edge does not answer. */
export const RequestList = z.object({ requests: z.array(AppRequest), totals: RequestTotals.nullable() });
export type RequestList = z.infer<typeof RequestList>;
