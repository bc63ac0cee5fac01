/**
 * Waiting times for repeated attempts: doubling from `firstMs` to `mostMs`, each shortened by a random part of up to
 * a half, so that many clients of one server do not return in the same moment.
 */
export function createBackoff(firstMs: number, mostMs: number): { nextMs(): number; reset(): void } {
	let attempt = 0;
	return {
		nextMs() {
			const whole = Math.min(mostMs, firstMs * 2 ** attempt);
			attempt += 1;
			return whole * (0.5 + Math.random() / 2);
		},
		reset() {
			attempt = 0;
		},
	};
}
