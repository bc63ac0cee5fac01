import { chmod, cp, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "@repldock/service";

/** What the tests run in containers; all of it is essential in Debian, so every machine that runs them has it. */
const programs = [
	"bash",
	"sh",
	"perl",
	"sleep",
	"cat",
	"id",
	"ls",
	"mkdir",
	"touch",
	"dd",
	"stat",
	"env",
	"stty",
	"ln",
];

/**
 * Packs a small root file system out of this machine's own programs, in place of the toolchain image.
 * @returns the archive's path.
 */
export async function packTinyImage(directory: string): Promise<string> {
	const root = join(directory, "root");
	for (const folder of [
		"usr/bin",
		"usr/lib",
		"usr/lib64",
		"usr/sbin",
		"etc",
		"home/runner",
		"tmp",
		"proc",
		"sys",
		"dev",
	]) {
		await mkdir(join(root, folder), { recursive: true });
	}
	await chmod(join(root, "tmp"), 0o1777);
	for (const folder of ["bin", "lib", "lib64", "sbin"]) await symlink(`usr/${folder}`, join(root, folder));
	for (const name of programs) {
		const program = `/usr/bin/${name}`;
		await cp(await realpath(program), join(root, program));
		for (const library of await librariesOf(program)) await copyInto(root, library);
	}
	const perlDirectories = (await runCommand("/usr/bin/perl", ["-e", 'print join "\\n", @INC'])).split("\n");
	const perlBase = perlDirectories.find((path) => path.endsWith("/perl-base"));
	if (!perlBase) throw new Error("This machine's perl has no perl-base directory.");
	await cp(perlBase, join(root, perlBase), { recursive: true });
	await writeFile(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nrunner:x:1000:1000::/home/runner:/bin/bash\n");
	await writeFile(join(root, "etc/group"), "root:x:0:\nrunner:x:1000:\n");
	const archive = join(directory, "root.tar");
	await runCommand("tar", ["--create", "--file", archive, "--owner=0", "--group=0", "--directory", root, "."]);
	return archive;
}

async function librariesOf(program: string): Promise<string[]> {
	const output = await runCommand("ldd", [program]);
	return [...output.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1] as string);
}

/** Libraries are found below /lib, which is /usr/lib here and there. */
async function copyInto(root: string, library: string): Promise<void> {
	const target = join(root, library.startsWith("/usr/") ? library : `/usr${library}`);
	await mkdir(dirname(target), { recursive: true });
	await cp(await realpath(library), target);
}
