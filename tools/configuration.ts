import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { nodeOptions } from "../apps/node/src/config.ts";
import { siteOptions } from "../apps/site/src/config.ts";
import { objectOptions } from "../packages/objects/src/index.ts";
import type { OptionTable } from "../packages/service/src/index.ts";

/** Writes docs/CONFIGURATION.md from the option tables; with `--check` it only says whether the file is up to date. */
const file = fileURLToPath(new URL("../docs/CONFIGURATION.md", import.meta.url));

export function renderConfiguration(): string {
	return `# Configuration

Every option is an environment variable of \`./repldock up\`. This page is generated from the option tables
(\`apps/site/src/config.ts\`, \`apps/node/src/config.ts\`, \`packages/objects/src/options.ts\`) by \`node tools/configuration.ts\`.

Sizes take a binary suffix (\`512M\`, \`1G\`), times a unit (\`500ms\`, \`30s\`, \`15m\`, \`12h\`, \`7d\`). Command line options
win over variables: \`--data\` is \`REPLDOCK_DATA\`, \`--http-port\` is \`REPLDOCK_HTTP_PORT\`, \`--volumes-device\` is
\`REPLDOCK_VOLUMES_DEVICE\`. \`up\` itself also reads \`REPLDOCK_CACHE\` (default \`/var/cache/repldock\`), where the toolchain image's archive is kept.

## Site

${section(siteOptions)}

## Node

${section(nodeOptions)}

## Object store

Read by \`backup\`, \`restore\` and whatever keeps files in objects. \`docs/STORAGE.md\` says how to set up a bucket.

${section(objectOptions)}
`;
}

function section(table: OptionTable): string {
	const rows = Object.values(table).map(({ variable, fallback, description }) => {
		const shown =
			variable === "REPLDOCK_NODE_NAME"
				? "the machine's name"
				: fallback === undefined
					? "set by `up`"
					: fallback
						? `\`${shorten(fallback)}\``
						: "";
		return `| \`${variable}\` | ${shown} | ${description} |`;
	});
	return ["| variable | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

/** Defaults that are folders of the program are shown from the repository's root. */
function shorten(fallback: string): string {
	const root = fileURLToPath(new URL("..", import.meta.url));
	return fallback.startsWith(root) ? fallback.slice(root.length) : fallback;
}

if (import.meta.main) {
	const text = renderConfiguration();
	if (process.argv.includes("--check")) {
		if ((await readFile(file, "utf8").catch(() => "")) !== text) {
			process.stderr.write("docs/CONFIGURATION.md is out of date. Run: node tools/configuration.ts\n");
			process.exitCode = 1;
		}
	} else {
		await writeFile(file, text);
	}
}
