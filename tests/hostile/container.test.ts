import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, inject, onTestFinished, test } from "vitest";
import { logFile, repldock } from "../support/instance.ts";
import { eventually } from "../support/wait.ts";
import type { WorkspaceClient } from "../support/workspace-client.ts";
import { openProject } from "../support/world.ts";

/** Runs a shell script as the project's program. */
async function shell(workspace: WorkspaceClient, script: string, timeoutMs?: number) {
	await workspace.write("attack.sh", script);
	await workspace.write(".replit", 'run = "bash attack.sh"\n');
	return workspace.runToEnd(timeoutMs === undefined ? {} : { timeoutMs });
}

test("a program has no rights: not root, no capabilities, no new privileges, seccomp on, ids remapped", async () => {
	const { workspace } = await openProject("bash");
	const { output } = await shell(
		workspace,
		"id -u; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; cat /proc/self/uid_map; ls -l /var/run/docker.sock",
	);
	expect(output).toMatch(/^1000\r?$/m);
	for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
		expect(output).toMatch(new RegExp(`${set}:\\s+0{16}`));
	expect(output).toMatch(/NoNewPrivs:\s+1/);
	expect(output).toMatch(/Seccomp:\s+2/);
	expect(output).not.toMatch(/^\s+0\s+0\s+4294967295/m);
	expect(output).toMatch(/docker\.sock.*No such file|cannot access/);
});

test("only the project folder and /tmp can be written, and the toolchain is not changed", async () => {
	const { workspace } = await openProject("bash");
	const { output } = await shell(
		workspace,
		"for d in / /usr /usr/bin /etc /home /home/runner /var /opt /root /dev /proc /sys /run; do touch $d/x 2>/dev/null && echo WRITABLE $d; done; touch /tmp/x && touch ./x && echo fine; find / -xdev -perm /6000 -type f 2>/dev/null | head; mount -t tmpfs x /tmp 2>&1 | tail -1; unshare -Ur true 2>&1 | tail -1",
	);
	expect(output).not.toContain("WRITABLE");
	expect(output).toContain("fine");
	expect(output).toMatch(/permission denied|not permitted|must be superuser/i);
});

test("a container reaches neither the machine, nor the edge, nor another container, nor an outside", async () => {
	const { workspace: victim } = await openProject("node");
	await victim.write(".replit", 'run = "node server.cjs"\n');
	await victim.write(
		"server.cjs",
		'console.log("address", require("os").networkInterfaces().eth0?.[0].address); require("node:http").createServer((q, r) => r.end("victim")).listen(3000, "0.0.0.0", () => console.log("listening"));\n',
	);
	const console = await victim.attach("console");
	await victim.run();
	const printed = await console.expect("listening");
	const victimAddress = /address ([\d.]+)/.exec(printed)?.[1];
	expect(victimAddress).toMatch(/^\d/);

	const listener = createServer((socket) => socket.end("host"));
	await new Promise<void>((resolve) => listener.listen(0, "0.0.0.0", resolve));
	onTestFinished(() => void listener.close());
	const address = listener.address();
	const hostPort = address && typeof address === "object" ? address.port : 0;

	const gateway = `${victimAddress?.split(".").slice(0, 3).join(".")}.1`;
	const machine = Object.values(networkInterfaces())
		.flat()
		.filter((entry) => entry?.family === "IPv4" && !entry.internal)
		.map((entry) => entry?.address ?? "");
	const targets = [
		`${victimAddress}:3000`,
		`169.254.169.254:80`,
		...[gateway, ...machine].flatMap((host) => [`${host}:${hostPort}`, `${host}:${inject("instance").httpPort}`]),
	];
	const { workspace } = await openProject("python");
	await workspace.write(".replit", 'run = "python3 probe.py"\n');
	await workspace.write(
		"probe.py",
		`import socket
for target in ${JSON.stringify(targets)}:
    host, port = target.rsplit(":", 1)
    s = socket.socket(); s.settimeout(1.5)
    try:
        s.connect((host, int(port))); print("REACHED", target)
    except OSError as error:
        print("closed", target, error)
`,
	);
	const { output } = await workspace.runToEnd();
	expect(output).not.toContain("REACHED");
	expect(output.match(/closed/g)).toHaveLength(targets.length);
	console.close();
});

test("a fork bomb ends at its own limit; the neighbour works on and Stop ends it", async () => {
	const { workspace } = await openProject("bash");
	const { workspace: neighbour } = await openProject("python");
	await neighbour.write("main.py", "print(6 * 7)\n");
	await workspace.write(".replit", 'run = "bash bomb.sh"\n');
	await workspace.write("bomb.sh", "echo lit\nbomb() { bomb | bomb & }\nbomb\nsleep 600\n");
	const console = await workspace.attach("console");
	await workspace.run();
	await console.expect("lit");
	expect((await neighbour.runToEnd()).output).toContain("42");
	// Answered when nothing of it is left.
	await workspace.stop();
	const { output } = await shell(workspace, "echo alive");
	expect(output).toContain("alive");
	console.close();
});

test("a memory bomb is ended and the person is told why; the container and its terminal live on", async () => {
	const { workspace } = await openProject("python");
	const terminal = await workspace.openTerminal();
	await terminal.expect("$");
	await workspace.write(
		"main.py",
		"print('eating', flush=True)\nx = []\nwhile True: x.append(bytearray(10_000_000))\n",
	);
	const { exitCode } = await workspace.runToEnd();
	expect(exitCode).toBe(137);
	const console = await eventually("the note", () =>
		workspace.state.ptys.find(({ ptyId, note }) => ptyId === "console" && note),
	);
	expect(console.note).toMatch(/memory/i);
	terminal.type("echo still-$((1+1))\r");
	await terminal.expect("still-2");
	terminal.close();
});

test("a full project disk is a sentence, other projects are not touched, and room helps", async () => {
	const { workspace } = await openProject("bash");
	const { output } = await shell(workspace, "head -c 3G /dev/urandom > big.bin; echo code $?", 120_000);
	expect(output).toMatch(/quota exceeded|no space left/i);
	await eventually(
		"the disk figure",
		() => workspace.state.disk.usedBytes > 0.9 * workspace.state.disk.limitBytes,
		30_000,
	);
	await expect(workspace.write("more.bin", new Uint8Array(50_000_000))).rejects.toMatchObject({
		code: "quota_exceeded",
	});
	await workspace.remove("big.bin");
	await eventually(
		"room again",
		() =>
			workspace.write("note.txt", "fits").then(
				() => true,
				() => false,
			),
		40_000,
	);
	expect(await workspace.read("note.txt")).toBe("fits");
});

test("no secret is in a container's sight, nor in a log", async () => {
	const { workspace } = await openProject("bash");
	const { output } = await shell(
		workspace,
		"env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '; mount",
	);
	const { data } = inject("instance");
	const secrets = await Promise.all(
		["node/access-secret", "node/node-token", "site/auth-secret"].map((name) =>
			readFile(`${data}/secrets/${name}`, "utf8"),
		),
	);
	const status = JSON.parse(await repldock(["status", "--json", "--data", data])) as { services: { name: string }[] };
	const logs = await Promise.all(
		status.services.map(({ name }) => readFile(logFile(inject("instance"), name), "utf8")),
	);
	for (const secret of secrets) {
		expect(output).not.toContain(secret);
		for (const text of logs) expect(text).not.toContain(secret);
	}
	for (const text of logs) expect(text).not.toContain(workspace.token);
	expect(output).not.toContain("DATABASE_URL");
});
