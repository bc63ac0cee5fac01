import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createCleanupStack, type Logger, runCommand } from "@repldock/service";

/** Says "reached by" and the visitor's address to everyone who connects, on each of the ports. */
const listener = `use Socket; $| = 1; for my $port (@ARGV) { next if fork;
	socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
	bind(S, sockaddr_in($port, INADDR_ANY)) or die; listen(S, 9999); print "listening\\n";
	while (my $peer = accept(C, S)) { my $from = inet_ntoa((sockaddr_in($peer))[1]); syswrite(C, "reached by $from\\n");
		if (!fork) { while (sysread(C, my $part, 999)) { syswrite(C, $part) } exit } close C } }
	sleep 999999`;

/** A network namespace that plays the internet: reached from this machine alone, by the addresses that it was given. */
export interface Outside {
	/** The machine's own address on the cable to it. */
	near: string;
	/** Starts a program in it and waits for its first output. */
	run(program: string, ...commandArguments: string[]): Promise<ChildProcess>;
	/** Runs a program in it to its end. @returns what it printed. */
	say(program: string, ...commandArguments: string[]): Promise<string>;
	/** Lets it send to a network by way of this machine. */
	route(network: string): Promise<void>;
	/** Listens for TCP at all its addresses, echoing. */
	listen(...ports: number[]): Promise<void>;
	release(): Promise<void>;
}

export async function startOutside(addresses: readonly string[], near: string, log: Logger): Promise<Outside> {
	const cleanup = createCleanupStack(log);
	const name = `rdo${randomBytes(4).toString("hex")}`;
	const ip = async (...words: string[]) => void (await runCommand("ip", words));
	await ip("netns", "add", name);
	cleanup.push("namespace", () => ip("netns", "delete", name));
	try {
		await ip("link", "add", name, "type", "veth", "peer", "name", "outside", "netns", name);
		cleanup.push("cable", () => ip("link", "delete", name));
		await ip("address", "add", `${near}/32`, "dev", name);
		await ip("link", "set", name, "up");
		for (const address of addresses) await ip("-n", name, "address", "add", `${address}/32`, "dev", "outside");
		await ip("-n", name, "link", "set", "lo", "up");
		await ip("-n", name, "link", "set", "outside", "up");
		await ip("-n", name, "route", "add", near, "dev", "outside");
		for (const address of addresses) await ip("route", "add", `${address}/32`, "dev", name, "src", near);
	} catch (error) {
		await cleanup.run();
		throw error;
	}

	async function run(program: string, ...commandArguments: string[]): Promise<ChildProcess> {
		// A group of its own, so that its children end with it.
		const child = spawn("ip", ["netns", "exec", name, program, ...commandArguments], {
			stdio: ["ignore", "pipe", "inherit"],
			detached: true,
		});
		const closed = once(child, "exit");
		cleanup.push(program, async () => {
			if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
			await closed;
		});
		await once(child.stdout, "data");
		return child;
	}

	return {
		near,
		run,
		say: (program, ...words) => runCommand("ip", ["netns", "exec", name, program, ...words]),
		route: (network) => ip("-n", name, "route", "add", network, "via", near, "dev", "outside", "onlink"),
		async listen(...ports) {
			for (const port of ports) await run("/usr/bin/perl", "-e", listener, String(port));
		},
		release: () => cleanup.run(),
	};
}
