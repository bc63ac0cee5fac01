/** Debian's half of the image: how mmdebstrap is called. */
import { runAttachedCommand } from "./attached-command.ts";
import { readDebianSources, readDownloadOptions } from "./debian-sources.ts";

/** Debian 12. */
const suite = "bookworm";

/** What dpkg leaves out: documentation nobody reads in a container (copyright files stay). And it need not wait for the disk. */
const dpkgOptions = [
	"force-unsafe-io",
	"path-exclude=/usr/share/man/*",
	"path-exclude=/usr/share/info/*",
	"path-exclude=/usr/share/doc/*",
	"path-include=/usr/share/doc/*/copyright",
	"path-exclude=/usr/share/locale/*",
	"path-exclude=/usr/share/lintian/*",
	"path-exclude=/usr/share/gtk-doc/*",
	"path-exclude=/usr/share/javadoc/*",
	// Large and needed by nobody: what only a build of Go itself and jlink use.
	"path-exclude=/usr/lib/go-*/pkg/linux_*/cmd/*",
	"path-exclude=/usr/lib/jvm/*/jmods/*",
];

/**
 * Installs Debian with `packages` into a new tar archive.
 * @param stage folder that customize.sh lays over the installed system.
 * @throws Error with the end of mmdebstrap's output.
 */
export async function installDebian(options: {
	packages: string[];
	archive: string;
	stage: string;
	customizeHook: string;
	/** Where the system is put together: takes 4 GB for the time of the build. */
	temporaryDirectory: string;
	onProgress: (line: string) => void;
}): Promise<void> {
	const sources = await readDebianSources(suite, options.temporaryDirectory);
	const downloadOptions = await readDownloadOptions();
	await runAttachedCommand(
		"mmdebstrap",
		[
			"--verbose",
			"--mode=root",
			"--variant=minbase",
			"--format=tar",
			`--include=${options.packages.join(",")}`,
			...downloadOptions.map((option) => `--aptopt=${option}`),
			...dpkgOptions.map((option) => `--dpkgopt=${option}`),
			// The excluded folders must exist all the same: Java's update-alternatives links into the manual.
			'--setup-hook=for section in 1 5 7 8; do mkdir -p "$1/usr/share/man/man$section"; done',
			`--customize-hook=${options.customizeHook}`,
			// The engine makes its own devices.
			"--skip=output/dev,check/qemu",
			suite,
			options.archive,
			"-",
		],
		{
			input: sources,
			environment: { STAGE: options.stage, TMPDIR: options.temporaryDirectory, LC_ALL: "C.UTF-8" },
			onLine: describeProgress(options.onProgress),
		},
	);
}

/** Turns the output of mmdebstrap, apt and dpkg into few lines for a person. Each package is unpacked, then set up. */
function describeProgress(onProgress: (line: string) => void): (line: string) => void {
	let packageCount = 0;
	let stepsDone = 0;
	let percentShown = 0;
	return (line) => {
		const planned = /^\d+ upgraded, (\d+) newly installed/.exec(line);
		if (planned) {
			packageCount = Number(planned[1]);
			stepsDone = 0;
			percentShown = 0;
			onProgress(`Downloading and installing ${packageCount} Debian packages …`);
		} else if (/^(Unpacking|Setting up) /.test(line) && packageCount > 0) {
			stepsDone += 1;
			const percent = Math.min(100, Math.floor((stepsDone / packageCount) * 5) * 10);
			if (percent > percentShown) onProgress(`Installed ${percent} % of ${packageCount} Debian packages`);
			percentShown = Math.max(percent, percentShown);
		} else if (/^I: running --customize-hook/.test(line)) {
			onProgress("Adding Node and the settings …");
		} else if (/^I: creating tarball/.test(line)) {
			onProgress("Writing the archive …");
		}
	};
}
