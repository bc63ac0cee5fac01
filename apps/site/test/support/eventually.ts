/**
 * Asks again until the answer is the wanted one; for what is told by no event, such as a row in the database.
 * @throws the last failure after the time is over.
 */
export async function eventually<T>(ask: () => Promise<T>, timeoutMs = 30_000): Promise<T> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		try {
			return await ask();
		} catch (error) {
			if (Date.now() > deadline) throw error;
			await new Promise((resolve) => setTimeout(resolve, 25));
		}
	}
}
