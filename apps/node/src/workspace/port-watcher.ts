import type { Logger } from "@repldock/service";
import type { ListeningPort } from "../host.ts";

/** Looks again and again at which ports are listened on, the more often the likelier a change is. */
export interface PortWatcher {
	/** Something happened that may open ports soon, such as a run. */
	expectChange(): void;
	/** Looks as often as is cheap until the function that it returns is called: a visitor waits. */
	watchClosely(): () => void;
	/** Looks at the container with this init process from now on; null when none runs. What is paused opens no ports. */
	follow(containerPid: number | null, isPaused?: boolean): void;
	/** Tells the last ports again: what they mean changed. */
	replan(): void;
	close(): void;
}

/** Between looks: while a visitor waits, shortly after something happened, while programs run, and while none does. */
const closelyEveryMs = 5;
const alertEveryMs = 400;
const runningEveryMs = 900;
const idleEveryMs = 5_000;
/** How long it stays alert. */
const alertForMs = 30_000;

export function createPortWatcher(options: {
	log: Logger;
	readListeningPorts(containerPid: number): Promise<readonly ListeningPort[]>;
	/** Whether any program of the project's console or terminals runs. */
	programsRun(): boolean;
	onPorts(ports: readonly ListeningPort[]): void;
}): PortWatcher {
	let followed: number | null = null;
	let stands = false;
	let waiting = 0;
	let alertUntilMs = 0;
	let timer: NodeJS.Timeout | undefined;
	let last: readonly ListeningPort[] = [];
	let closed = false;

	function tell(ports: readonly ListeningPort[]) {
		const sorted = ports.toSorted((left, right) => left.port - right.port);
		if (JSON.stringify(sorted) === JSON.stringify(last)) return;
		last = sorted;
		expectChange();
		options.onPorts(sorted);
	}

	function everyMs(): number {
		if (waiting > 0) return closelyEveryMs;
		if (performance.now() < alertUntilMs) return alertEveryMs;
		return options.programsRun() ? runningEveryMs : idleEveryMs;
	}

	async function look(containerPid: number): Promise<void> {
		try {
			const ports = await options.readListeningPorts(containerPid);
			if (!closed && followed === containerPid) tell(ports);
		} catch (error) {
			// The container ends at this moment, or its process is gone: `follow` says so next.
			options.log.debug({ err: error }, "listening ports could not be read");
		}
	}

	function schedule() {
		clearTimeout(timer);
		if (closed || followed === null || stands) return;
		const containerPid = followed;
		timer = setTimeout(() => {
			void look(containerPid).then(() => {
				if (followed === containerPid) schedule();
			});
		}, everyMs());
		timer.unref();
	}

	function expectChange() {
		alertUntilMs = performance.now() + alertForMs;
		schedule();
	}

	return {
		expectChange,

		watchClosely() {
			waiting += 1;
			schedule();
			let isReleased = false;
			return () => {
				if (!isReleased) waiting -= 1;
				isReleased = true;
			};
		},

		follow(containerPid, isPaused = false) {
			const goesOn = stands && !isPaused;
			stands = isPaused;
			if (stands) clearTimeout(timer);
			if (followed === containerPid) {
				if (goesOn) expectChange();
				return;
			}
			followed = containerPid;
			if (containerPid === null) {
				clearTimeout(timer);
				tell([]);
			} else expectChange();
		},

		replan: () => options.onPorts(last),

		close() {
			closed = true;
			clearTimeout(timer);
		},
	};
}
