import { type ImportGit, RepldockError } from "@repldock/protocol";
import type { z } from "zod";

/** Longest time that git may take. */
const cloneSeconds = 1_800;

/** What a person is shown of git's own words. */
const shownMaxLength = 300;

/** Runs a program in a project's container to its end. The last of its output is kept. */
export type RunInContainer = (
	projectId: string,
	command: readonly string[],
	environment: Readonly<Record<string, string>>,
) => Promise<{ exitCode: number | null; output: string }>;

/** No question to a terminal that nobody sees; nothing but what the address says. */
const environment = { GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "/bin/true", GIT_LFS_SKIP_SMUDGE: "1" } as const;
const overHttps = ["-c", "protocol.allow=never", "-c", "protocol.https.allow=always"] as const;

/**
 * The address as git may have it.
 * @throws RepldockError `invalid_input` for anything but https without a password.
 */
export function readGitUrl(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url?.protocol !== "https:" || url.hostname === "") {
		throw invalidUrl("Give the repository's https address, such as https://git.example.org/you/project.git.");
	}
	if (url.username !== "" || url.password !== "") {
		throw invalidUrl("Leave name and password out of the address; private repositories can be cloned in a terminal.");
	}
	return url.href;
}

/** Clones into a folder of the project by its own container, where git is as free and as bounded as all user code. */
export async function cloneUrl(
	run: RunInContainer,
	projectId: string,
	from: Pick<z.output<typeof ImportGit>, "url" | "history">,
	folder: string,
): Promise<void> {
	const depth = from.history === "latest" ? ["--depth=1"] : [];
	const clone = ["clone", "--quiet", ...depth, "--", readGitUrl(from.url), folder];
	await git(run, projectId, [...overHttps, ...clone]);
}

/** The same from a bundle that is in the project already; the clone forgets where that was. */
export async function cloneBundle(run: RunInContainer, projectId: string, bundle: string, folder: string) {
	await git(run, projectId, ["clone", "--quiet", "--", bundle, folder]);
	await git(run, projectId, ["-C", folder, "remote", "remove", "origin"]);
}

async function git(run: RunInContainer, projectId: string, command: readonly string[]): Promise<void> {
	const bounded = ["timeout", "--kill-after=10", String(cloneSeconds), "git", ...command];
	const { exitCode, output } = await run(projectId, bounded, environment);
	if (exitCode === 0) return;
	if (exitCode === 124) throw new RepldockError("timed_out", "git took longer than half an hour. Try again.");
	if (exitCode === 126 || exitCode === 127) {
		throw new RepldockError("container_failed", "There is no git in the container. Upload an archive instead.");
	}
	const said = lastLines(output);
	throw new RepldockError("invalid_input", `git could not clone it: ${said || "it did not say why"}`);
}

/** Output of a stranger's program, fit to be shown: no control characters, not too long. */
function lastLines(output: string): string {
	const lines = output.split(/[\r\n]+/).map((line) => line.replace(/\p{Cc}/gu, " ").trim());
	const telling = lines.filter((line) => line !== "" && !line.startsWith("Cloning into"));
	return telling.slice(-2).join(" ").slice(-shownMaxLength);
}

function invalidUrl(sentence: string): RepldockError {
	return new RepldockError("invalid_input", sentence, { fields: { url: sentence } });
}
