import { existsSync } from "node:fs";
import { readFile, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { runCommand } from "@repldock/service";
import { appsAddressFindings } from "../machine/apps-address.ts";
import type { Finding } from "../machine/finding.ts";
import { missingPackages, servicePackages } from "../machine/packages.ts";
import { portIsFree } from "../machine/ports.ts";
import { readStorage, storageFindings } from "../machine/storage.ts";
import { uplinkFindings } from "../machine/uplink.ts";
import { isReachableByAll } from "../machine/users.ts";
import { volumesDeviceFindings } from "../machine/volumes-device.ts";
import { repository, type Settings } from "../settings.ts";
import { readStatus } from "../supervisor/control.ts";
import { leftRunning } from "../supervisor/processes.ts";
import { dim, green, print, red, yellow } from "../text.ts";
import { checkCertificates } from "./doctor-tls.ts";

type Check = (settings: Settings) => Promise<Finding | Finding[]>;

/** `doctor`: what is missing or wrong, and what mends it. Exits with 1 when something is wrong. */
export async function doctor(settings: Settings): Promise<number> {
	const findings = (await Promise.all(checks.map((check) => check(settings)))).flat();
	if (settings.json) {
		print(JSON.stringify({ findings }));
	} else {
		const marks = { ok: green("✓"), warning: yellow("!"), wrong: red("✗") };
		for (const { name, state, detail, mend } of findings) {
			print(`${marks[state]} ${name}: ${detail}`);
			if (mend) print(dim(`    → ${mend}`));
		}
	}
	return findings.some(({ state }) => state === "wrong") ? 1 : 0;
}

const checks: readonly Check[] = [
	async () => {
		const uid = process.getuid?.();
		return uid === 0
			? { name: "user", state: "ok", detail: "root" }
			: { name: "user", state: "wrong", detail: "not root", mend: "sudo ./repldock up" };
	},
	async () => {
		const release = await readFile("/etc/os-release", "utf8").catch(() => "");
		const name = /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? "unknown";
		const debian = /^ID(_LIKE)?=.*debian/m.test(release);
		return debian
			? { name: "system", state: "ok", detail: name }
			: {
					name: "system",
					state: "wrong",
					detail: `${name}; packages come from Debian`,
					mend: "use Debian 12 or newer",
				};
	},
	async () => ({ name: "Node", state: "ok", detail: process.version }),
	async () => {
		const missing = await missingPackages(Object.keys(servicePackages));
		if (missing.length === 0) return { name: "Debian packages", state: "ok", detail: "all installed" };
		return missing.map((name) => ({
			name: `package ${name}`,
			state: "wrong" as const,
			detail: `not installed; it ${servicePackages[name]}`,
			mend: `apt-get install ${name} (./repldock up does it)`,
		}));
	},
	kernelCheck("btrfs", "project volumes", () => fileSystemKnown("btrfs"), "modprobe btrfs"),
	kernelCheck("overlay", "container images", () => fileSystemKnown("overlay"), "modprobe overlay"),
	kernelCheck(
		"nftables",
		"the containers' network",
		async () => succeeds("nft", ["list", "tables"]),
		"modprobe nf_tables",
	),
	kernelCheck(
		"loop devices",
		"the file that holds the volumes",
		async () => existsSync("/dev/loop-control"),
		"modprobe loop",
	),
	kernelCheck(
		"user namespaces",
		"keeping root in a container away from root outside",
		userNamespaces,
		"sysctl user.max_user_namespaces=10000",
	),
	...["memory", "pids", "cpu"].map((controller) =>
		kernelCheck(
			`cgroup controller ${controller}`,
			"limits of containers",
			() => controllerEnabled(controller),
			`boot with cgroup_enable=${controller}`,
		),
	),
	async (settings) => {
		const directory = existingAncestor(settings.data);
		const { bavail, bsize } = await statfs(directory);
		const gigabytes = (bavail * bsize) / 1024 ** 3;
		const detail = `${gigabytes.toFixed(1)} GiB free at ${directory}`;
		if (gigabytes >= 10) return { name: "disk", state: "ok", detail };
		return {
			name: "disk",
			state: gigabytes < 5 ? "wrong" : "warning",
			detail: `${detail}; the toolchain image and its container store take about 6 GiB`,
			mend: "free some space, or choose another disk with --data",
		};
	},
	async (settings) => {
		const directory = existingAncestor(settings.data);
		return (await isReachableByAll(directory))
			? { name: "data directory", state: "ok", detail: settings.data }
			: {
					name: "data directory",
					state: "wrong",
					detail: `containers cannot reach ${settings.data}`,
					mend: "choose one that every user may pass through: --data /var/lib/repldock",
				};
	},
	async () =>
		(await isReachableByAll(repository))
			? { name: "program", state: "ok", detail: repository }
			: {
					name: "program",
					state: "warning",
					detail: `unprivileged users cannot read ${repository}, so the site runs as root`,
					mend: "keep the checkout where every user may pass through, for example /opt/repldock",
				},
	checkCertificates,
	(settings) => appsAddressFindings(settings.environment),
	(settings) => uplinkFindings(settings.environment),
	(settings) => volumesDeviceFindings(settings.environment),
	async (settings) => {
		if ((await readStatus(settings.run))?.phase !== "running") return [];
		try {
			return storageFindings(await readStorage(settings));
		} catch (error) {
			const detail = `cannot be looked at: ${error instanceof Error ? error.message : String(error)}`;
			return { name: "storage", state: "wrong", detail, mend: "./repldock logs agent, ./repldock logs site" };
		}
	},
	async (settings) => {
		const instance = await readStatus(settings.run);
		if (instance) {
			const unwell = instance.services.filter(({ state }) => state !== "running");
			if (unwell.length === 0)
				return { name: "instance", state: "ok", detail: `${instance.phase} at ${instance.siteUrl}` };
			return unwell.map(({ name, title, state }) => ({
				name: title,
				state: "wrong" as const,
				detail: state,
				mend: `./repldock logs ${name}`,
			}));
		}
		const left = await leftRunning(settings.run);
		if (left.length > 0) {
			const detail = `its supervisor was killed; these go on without it: ${left.join(", ")}`;
			return { name: "instance", state: "wrong", detail, mend: "./repldock up" };
		}
		return (await portIsFree(settings.httpPort))
			? { name: "instance", state: "ok", detail: `not running; port ${settings.httpPort} is free` }
			: {
					name: "port",
					state: "wrong",
					detail: `another program listens on port ${settings.httpPort}`,
					mend: "choose another one: ./repldock up --http-port 8090",
				};
	},
];

function kernelCheck(name: string, purpose: string, works: () => Promise<boolean>, mend: string): Check {
	return async () =>
		(await works())
			? { name, state: "ok", detail: "there" }
			: { name, state: "wrong", detail: `missing; needed for ${purpose}`, mend };
}

async function fileSystemKnown(name: string): Promise<boolean> {
	const known = async () => (await readFile("/proc/filesystems", "utf8")).split(/\s+/).includes(name);
	return (await known()) || ((await succeeds("modprobe", [name])) && known());
}

async function userNamespaces(): Promise<boolean> {
	return Number(await readFile("/proc/sys/user/max_user_namespaces", "utf8").catch(() => "0")) > 0;
}

async function controllerEnabled(name: string): Promise<boolean> {
	const unified = await readFile("/sys/fs/cgroup/cgroup.controllers", "utf8").catch(() => "");
	if (unified.split(/\s+/).includes(name)) return true;
	const table = await readFile("/proc/cgroups", "utf8").catch(() => "");
	const enabled = table.split("\n").some((line) => line.startsWith(`${name}\t`) && line.endsWith("\t1"));
	return enabled && existsSync(`/sys/fs/cgroup/${name}`);
}

function succeeds(program: string, commandArguments: readonly string[]): Promise<boolean> {
	return runCommand(program, commandArguments).then(
		() => true,
		() => false,
	);
}

function existingAncestor(path: string): string {
	return existsSync(path) ? path : existingAncestor(dirname(path));
}
