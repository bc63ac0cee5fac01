/** Where Debian's packages come from: from wherever this machine's own apt takes them. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CommandError, runCommand } from "@repldock/service";

const keyringFile = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Options of the machine's apt that decide how (not what) it downloads: proxies, certificates, retries, old mirrors. */
const downloadOption = /^Acquire::(https?::|Retries |ForceIPv[46] |Check-Valid-Until |Check-Date |Queue-)/;

/**
 * Debian's own package sources among those that this machine's apt uses (never a third party's), in deb822 format. apt is
 * asked what it has downloaded and verified, so every way to write down a source is understood.
 * @param suite a release's code name; its updates and security updates are meant too.
 * @param temporaryDirectory takes apt's lists: the machine's own may be missing or old, and are left alone.
 * @throws Error that says what to do, when there are none, or when one that may be Debian's cannot be reached (an image must
 * not lack its security updates for that).
 */
export async function readDebianSources(suite: string, temporaryDirectory: string): Promise<string> {
	if (!existsSync(keyringFile)) {
		throw new Error(`${keyringFile} is missing: run apt-get install debian-archive-keyring.`);
	}
	const lists = join(temporaryDirectory, "lists");
	mkdirSync(lists);
	const aptOptions = [
		...["-o", `Dir::State::Lists=${lists}`, "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="],
		...["-o", "APT::Update::Error-Mode=any"],
	];
	const wantedNames = [suite, `${suite}-updates`, `${suite}-security`];
	try {
		await runCommand("apt-get", [...aptOptions, "update"], { timeoutMs: 5 * 60_000 });
	} catch (cause) {
		// One broken source fails the whole update. A third party's may be broken, but Debian's may not.
		const mayBeDebian = (line: string): boolean => wantedNames.some((name) => line.split(/[/ ]/).includes(name));
		const lines =
			cause instanceof CommandError ? cause.stderr.split("\n").filter((line) => line.startsWith("E: ")) : [];
		if (lines.length === 0 || lines.some(mayBeDebian)) {
			throw new Error("The lists of Debian's packages could not be downloaded: apt-get update says why.", { cause });
		}
	}
	const fields = ["ORIGIN", "CODENAME", "REPO_URI", "RELEASE", "COMPONENT"].map((field) => `$(${field})`);
	const targets = await runCommand("apt-get", [
		...aptOptions,
		...["indextargets", "--format", fields.join("\t"), "Created-By: Packages"],
	]);
	const sources = new Set<string>();
	for (const line of targets.split("\n")) {
		const [origin, codename, address, release, component] = line.split("\t");
		if (origin !== "Debian" || codename === undefined || !wantedNames.includes(codename)) continue;
		sources.add(
			`Types: deb\nURIs: ${address}\nSuites: ${release}\nComponents: ${component}\nSigned-By: ${keyringFile}\n`,
		);
	}
	if (sources.size > 0) return [...sources].join("\n");
	throw new Error(`This machine's apt has no packages of Debian's ${suite}: add its sources to /etc/apt.`);
}

/** The machine's apt options that say how to download, one a line as apt's configuration files have them. */
export async function readDownloadOptions(): Promise<string[]> {
	const output = await runCommand("apt-config", ["dump"]);
	return output.split("\n").filter((line) => downloadOption.test(line) && !line.endsWith(' "";'));
}
