import { mostSiteAddresses } from "@repldock/protocol";
import { followAddresses, type Logger } from "@repldock/service";

export interface SiteAddresses {
	/** IPv4 addresses in order, as they were last found. */
	present(): string[];
	/** Settles when they were looked for, or after a few seconds. */
	readonly first: Promise<void>;
	onChange(listener: () => void): void;
	close(): void;
}

/** A name server that says nothing must not keep the site from starting. */
const firstWithinMs = 5_000;

/**
 * The addresses of the site and its database, for the nodes to keep containers from them.
 * @param options.hosts null for what has no address, such as a unix socket.
 */
export function followSiteAddresses(options: {
	hosts: readonly (string | null)[];
	lookUp?: (host: string) => Promise<string[]>;
	everyMs?: number;
	log: Logger;
}): SiteAddresses {
	const found = new Map<string, readonly string[]>();
	const listeners: (() => void)[] = [];
	const present = () => [...new Set([...found.values()].flat())].sort().slice(0, mostSiteAddresses);
	const { first, close } = followAddresses({
		...options,
		hosts: options.hosts.filter((host) => host !== null),
		onAnswer(host, addresses) {
			const before = present().join();
			found.set(host, addresses);
			if (present().join() !== before) for (const listener of listeners) listener();
		},
	});
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, firstWithinMs);
	});
	return {
		present,
		first: Promise.race([first, late]).finally(() => clearTimeout(timer)),
		onChange: (listener) => void listeners.push(listener),
		close,
	};
}
