import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { runCommand } from "@repldock/service";

/** Debian packages that a running instance needs, and why. */
export const servicePackages: Readonly<Record<string, string>> = {
	"docker.io": "runs the containers",
	"nginx-light": "passes requests to the right container",
	"libnginx-mod-http-lua": "routes that change without a reload",
	"lua-cjson": "reads routes in the edge",
	postgresql: "holds accounts and projects",
	"btrfs-progs": "holds project files, with quotas",
	nftables: "closes the containers' network where it must be closed",
	conntrack: "forgets the connections of containers that are gone",
	"dnsmasq-base": "finds the addresses of names for containers",
	iproute2: "makes the containers' bridge",
	mmdebstrap: "builds the toolchain image",
	zstd: "compresses archives",
};

/** Further packages for `test` and `bench`. */
export const testPackages: Readonly<Record<string, string>> = {
	chromium: "the browser of the tests",
	"fonts-dejavu-core": "text in the browser of the tests",
	git: "projects to import",
	python3: "programs of the tests that play containers and archives",
	unzip: "a second opinion on exported archives",
	wrk: "load for the benchmarks",
};

/** @returns those of the packages that are not installed. */
export async function missingPackages(names: readonly string[]): Promise<string[]> {
	const format = "${Package} ${db:Status-Status}\\n";
	const output = await runCommand("dpkg-query", ["-W", "-f", format]);
	const installed = new Set(
		output
			.split("\n")
			.filter((line) => line.endsWith(" installed"))
			.map((line) => line.split(" ")[0]),
	);
	return names.filter((name) => !installed.has(name));
}

/** System services that come with a package and that Repldock does not use: it runs private ones. */
const bundledUnits: Readonly<Record<string, readonly string[]>> = {
	"docker.io": ["docker.service", "docker.socket"],
	"nginx-light": ["nginx.service"],
	postgresql: ["postgresql.service"],
};

/**
 * Installs packages without starting the services that come with them; services of packages that were there before
 * are not touched.
 */
export async function installPackages(names: readonly string[]): Promise<void> {
	const environment = { DEBIAN_FRONTEND: "noninteractive" };
	const halfAnHourMs = 30 * 60_000;
	await withoutServiceStarts(async () => {
		await runCommand("apt-get", ["update", "-qq"], { environment, timeoutMs: halfAnHourMs });
		await runCommand("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], {
			environment,
			timeoutMs: halfAnHourMs,
		});
	});
	const units = names.flatMap((name) => bundledUnits[name] ?? []);
	if (units.length > 0 && existsSync("/run/systemd/system")) {
		await runCommand("systemctl", ["disable", "--now", "--quiet", ...units]);
	}
}

/** Debian asks this script before a package starts its service; 101 means "do not". */
const policyScript = "/usr/sbin/policy-rc.d";

async function withoutServiceStarts(install: () => Promise<void>) {
	if (existsSync(policyScript)) return install();
	await writeFile(policyScript, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
	try {
		await install();
	} finally {
		await rm(policyScript, { force: true });
	}
}
