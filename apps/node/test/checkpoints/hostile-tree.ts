import { join } from "node:path";
import { runCommand } from "@repldock/service";

const folders = 1000;

/** Run as a program of the project would be, in its folder. */
const make = (manyFiles: number) => `set -e
mkdir many && perl -e 'chdir "many"; for (1 .. ${manyFiles}) { my $d = int($_ / 1000); mkdir $d unless $_ % 1000 && $_ > 1; open F, ">", "$d/$_"; print F $_ }'
mkdir deep && perl -e 'chdir "deep"; for (1 .. ${folders}) { mkdir "d"; chdir "d" } open F, ">bottom"; print F "reached"'
perl -e '$n = "n" x 255; mkdir $n; open F, ">$n/$n"; print F "long"; open G, ">caf\\xe9"; print G "latin"; open H, ">a\\nb"; print H "line"'
truncate -s 1T sparse && printf end | dd of=sparse bs=1 seek=1000000000000 conv=notrunc status=none
echo shared > one && for i in $(seq 1 300); do ln one "same$i"; done
mkfifo pipe && perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "socket", Listen => 1)'
cp /bin/true setuid && chmod 6755 setuid
ln -s loop loop && ln -s ../.. up && ln -s /etc/shadow shadow && ln -s . self
`;

/**
 * Makes a tree that is to harm whoever walks, copies or compares it: many files, a thousand folders deep, long names and names
 * that are no UTF-8, a file of a terabyte that is one hole, hard links, links that lead out and in circles, FIFO, socket, setuid.
 */
export async function makeHostileTree(root: string, manyFiles: number): Promise<void> {
	await runCommand("sh", ["-c", make(manyFiles)], { directory: root, timeoutMs: 600_000 });
}

/** The file below all the folders. */
export const bottomOf = (root: string) => join(root, "deep", "d/".repeat(folders), "bottom");

/** Every name of a tree with its kind, mode, size, number of names and what links lead to; numbers of owners aside. */
export async function describeTree(root: string): Promise<string> {
	const listed = await runCommand("find", [".", "-printf", "%y %m %s %n %l %P\\0"], {
		directory: root,
		timeoutMs: 600_000,
	});
	// A folder's size is the file system's own affair.
	return listed
		.split("\0")
		.map((line) => line.replace(/^(d \d+) \d+ \d+/, "$1"))
		.sort((one, other) => (one.replace("6755", "755") < other.replace("6755", "755") ? -1 : 1))
		.join("\n");
}
