/** A moment by the clock that people read, which may be set at any time, and by one that only goes forward. */
export interface Moment {
	readonly wallMs: number;
	readonly steadyMs: number;
}

/** By less the two clocks part by themselves: one is kept right by a time server, the other is not. */
const setByMs = 100;

export function thisMoment(): Moment {
	return { wallMs: Date.now(), steadyMs: performance.now() };
}

/**
 * Up to when something that held at the moment holds, for people who read a clock. When the clock was set meanwhile, the
 * moment has two times; the earlier one promises nothing that is not so.
 */
export function promisedTime(moment: Moment): string {
	const byPresentClock = Math.floor(Date.now() - (performance.now() - moment.steadyMs));
	const isSetBack = moment.wallMs - byPresentClock > setByMs;
	return new Date(isSetBack ? byPresentClock : moment.wallMs).toISOString();
}
