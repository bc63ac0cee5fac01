type Falsy = false | null | undefined | 0 | "";

/**
 * Waits until a condition holds, looking every 10 ms: for conditions that no event announces to the outside.
 * @returns the condition's value. @throws Error that names what did not come.
 */
export async function eventually<T>(
	what: string,
	condition: () => T | Promise<T>,
	timeoutMs = 45_000,
): Promise<Exclude<T, Falsy>> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		const value = await condition();
		if (value) return value as Exclude<T, Falsy>;
		if (Date.now() > deadline) throw new Error(`${what} did not come within ${timeoutMs} ms`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}
