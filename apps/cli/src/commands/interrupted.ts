const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Somebody pressed Ctrl-C, or ended the program otherwise. */
export class Interrupted extends Error {
	/** As a shell tells of a program that a signal ended. */
	readonly exitCode = 130;
}

/** Does work that may be interrupted: what it has begun by then goes on until the program ends. @throws Interrupted */
export async function unlessInterrupted<T>(what: string, work: () => Promise<T>): Promise<T> {
	const interrupted = Promise.withResolvers<never>();
	const stop = () => interrupted.reject(new Interrupted(`${what} was interrupted.`));
	for (const signal of signals) process.on(signal, stop);
	try {
		return await Promise.race([work(), interrupted.promise]);
	} finally {
		for (const signal of signals) process.off(signal, stop);
	}
}
