import { RepldockError } from "@repldock/protocol";

/** Keeps visitors from having the site asked without end, and from trying one token after another. */
export interface VisitorLimit {
	/**
	 * Begins one question to the site for this visitor address.
	 * @returns how to end it, which says whether the visitor was let in.
	 * @throws RepldockError `too_many_requests`
	 */
	enter(address: string): (allowed: boolean) => void;
}

/** Wrong tokens that one address may show in one window. */
const refusalsPerAddress = 10;
/** Wrong tokens of all addresses in one window, for floods that come from many. */
const refusalsInAll = 200;
const windowMs = 10_000;
/** Questions that wait for the site at one time. */
const mostAtOnce = 16;

const tooMany = () =>
	new RepldockError("too_many_requests", "Too many wrong tokens came from your address. Wait ten seconds.");

export function createVisitorLimit(now: () => number = Date.now): VisitorLimit {
	const refusals = new Map<string, number>();
	let inAll = 0;
	let windowEndsMs = 0;
	let underWay = 0;
	return {
		enter(address) {
			if (now() >= windowEndsMs) {
				refusals.clear();
				inAll = 0;
				windowEndsMs = now() + windowMs;
			}
			const key = networkOf(address);
			if ((refusals.get(key) ?? 0) >= refusalsPerAddress || inAll >= refusalsInAll || underWay >= mostAtOnce) {
				throw tooMany();
			}
			// Counted as refused until the answer is here, so that many at once are not let through together.
			refusals.set(key, (refusals.get(key) ?? 0) + 1);
			inAll += 1;
			underWay += 1;
			const windowOfEntry = windowEndsMs;
			return (allowed) => {
				underWay -= 1;
				if (!allowed || windowOfEntry !== windowEndsMs) return;
				refusals.set(key, (refusals.get(key) ?? 1) - 1);
				inAll -= 1;
			};
		},
	};
}

/** One household has a whole IPv6 /64 to itself. */
function networkOf(address: string): string {
	if (!address.includes(":")) return address;
	const [before = ""] = address.split("::");
	return before.split(":").slice(0, 4).join(":");
}
