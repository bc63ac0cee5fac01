import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import type { Logger } from "./log.ts";

/** As connections find their way: the machine's own resolver, `/etc/hosts` among it. @throws Error when it cannot say. */
export async function lookUpAddresses(host: string): Promise<string[]> {
	return (await lookup(host, { all: true, family: 4 })).map(({ address }) => address);
}

export interface FollowedAddresses {
	/** Settles once every host was looked up for the first time, or could not be. */
	readonly first: Promise<void>;
	lookAgain(): Promise<void>;
	close(): void;
}

const defaultEveryMs = 5 * 60_000;

/**
 * Looks hosts' IPv4 addresses up, now, every five minutes and when it is asked to. What cannot be looked up is not told,
 * so that the last answer stays; neither is the machine itself (`localhost`, 127.0.0.0/8).
 * @param options.hosts names or addresses, as in URLs; IPv6 addresses have no IPv4 one.
 */
export function followAddresses(options: {
	hosts: readonly string[];
	onAnswer(host: string, addresses: readonly string[]): void;
	lookUp?: (host: string) => Promise<string[]>;
	everyMs?: number;
	log: Logger;
}): FollowedAddresses {
	const { onAnswer, lookUp = lookUpAddresses, everyMs = defaultEveryMs, log } = options;
	const hosts = [...new Set(options.hosts)].filter((host) => !isHere(host) && !isIPv6(host.replace(/^\[|\]$/g, "")));
	let isOver = false;

	async function look(host: string): Promise<void> {
		try {
			const addresses = (await lookUp(host)).filter((address) => !/^(?:127|0)\./.test(address));
			if (!isOver) onAnswer(host, addresses);
		} catch (error) {
			if (!isOver) log.warn({ err: error, host }, "addresses of a host were not found; those that were known stay");
		}
	}
	const lookAgain = async () => void (await Promise.all(hosts.map(look)));

	const first = lookAgain();
	const timer = setInterval(() => void lookAgain(), everyMs);
	timer.unref();
	return {
		first,
		lookAgain,
		close() {
			isOver = true;
			clearInterval(timer);
		},
	};
}

const isHere = (host: string) => /(?:^|\.)localhost\.?$/i.test(host);
