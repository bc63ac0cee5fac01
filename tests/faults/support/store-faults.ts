import type { Fault } from "../../support/object-server.ts";
import type { Random } from "./rounds.ts";
import type { StorageWorld } from "./storage-world.ts";

const storeFaults: readonly [Fault, ...Fault[]] = [
	{ status: 403, code: "AccessDenied" },
	{ status: 404, code: "NoSuchBucket" },
	{ status: 500, code: "InternalError" },
	{ status: 503, code: "SlowDown" },
	"hang",
	"stall",
	"trickle",
	"cut",
	"shorten",
	"corrupt",
	"keep_other_bytes",
	"keep_half",
	"lie",
	"lose_answer",
];

const writing = ["PUT", "POST"];
const reading = ["GET", "HEAD"];
const methods = { writing, reading, all: [...writing, ...reading, "DELETE"] };

/** The store fails from now on, in some way or other: at all requests of this use of it, or at a share of them. */
export function failStore(
	world: StorageWorld,
	random: Random,
	uses: readonly [keyof typeof methods, ...(keyof typeof methods)[]],
) {
	const failing = methods[random.pick(uses)];
	const share = random.pick([1, 1, 0.5]);
	world.server.fail(random.pick(storeFaults), {
		when: ({ method }) => failing.includes(method) && random.chance(share),
	});
}
