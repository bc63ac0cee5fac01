import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** The folder that holds the whole program. */
export const repository = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");

/** What an operator said on the command line or in the environment; the command line wins. */
export interface Settings {
	data: string;
	run: string;
	logs: string;
	cache: string;
	httpPort: number;
	appsDomain: string;
	siteUrl: string;
	systemUser: string;
	/** Passed on to the programs as they stand. */
	environment: Record<string, string>;
	detach: boolean;
	json: boolean;
	follow: boolean;
	/** How many containers a bench takes, where it asks. */
	containers: string | undefined;
	/** backup: where to; restore: where from, and which of the backups there. */
	to: string | undefined;
	from: string | undefined;
	time: string | undefined;
	/** backup: how many whole ones stay; all of them when undefined. */
	keep: number | undefined;
	words: string[];
}

/** A command line that cannot be understood; the message says what to type instead. */
export class UsageError extends Error {
	constructor(message: string) {
		super(message);
		this.name = "UsageError";
	}
}

/** @throws UsageError */
export function readSettings(commandArguments: string[], environment: NodeJS.ProcessEnv): Settings {
	let parsed: ReturnType<typeof parse>;
	try {
		parsed = parse(commandArguments);
	} catch (error) {
		throw new UsageError(error instanceof Error ? error.message : String(error));
	}
	const { values, positionals } = parsed;
	const data = resolve(values.data ?? environment.REPLDOCK_DATA ?? "/var/lib/repldock");
	const portText = values["http-port"] ?? environment.REPLDOCK_HTTP_PORT ?? "8080";
	const httpPort = Number(portText);
	if (!/^\d+$/.test(portText) || httpPort < 1 || httpPort > 65_535) {
		throw new UsageError(`--http-port takes a port number from 1 to 65535, not ${portText}.`);
	}
	if (values.keep !== undefined && !/^[1-9]\d{0,5}$/.test(values.keep)) {
		throw new UsageError(`--keep takes how many backups stay, at least 1, not ${values.keep}.`);
	}
	const appsDomain = environment.REPLDOCK_APPS_DOMAIN ?? "localhost";
	const port = httpPort === 80 ? "" : `:${httpPort}`;
	const siteUrl = (environment.REPLDOCK_SITE_URL ?? `http://localhost${port}`).replace(/\/$/, "");
	const volumesDevice = values["volumes-device"];
	if (volumesDevice !== undefined && !volumesDevice.startsWith("/")) {
		throw new UsageError(`--volumes-device takes the path of a block device, such as /dev/sdb1, not ${volumesDevice}.`);
	}
	const passedOn = Object.entries(environment).filter(
		([name]) => name.startsWith("REPLDOCK_") || name === "DATABASE_URL",
	);
	return {
		data,
		run: join(data, "run"),
		logs: join(data, "logs"),
		cache: resolve(environment.REPLDOCK_CACHE ?? "/var/cache/repldock"),
		httpPort,
		appsDomain,
		siteUrl,
		systemUser: environment.REPLDOCK_SYSTEM_USER ?? "repldock",
		environment: {
			...Object.fromEntries(passedOn.map(([name, value]) => [name, value ?? ""])),
			REPLDOCK_DATA: data,
			REPLDOCK_HTTP_PORT: String(httpPort),
			REPLDOCK_APPS_DOMAIN: appsDomain,
			REPLDOCK_SITE_URL: siteUrl,
			...(volumesDevice === undefined ? {} : { REPLDOCK_VOLUMES_DEVICE: volumesDevice }),
		},
		detach: values.detach ?? false,
		json: values.json ?? false,
		follow: values.follow ?? false,
		containers: values.containers,
		to: values.to,
		from: values.from,
		time: values.time,
		keep: values.keep === undefined ? undefined : Number(values.keep),
		words: positionals,
	};
}

function parse(commandArguments: string[]) {
	return parseArgs({
		args: commandArguments,
		allowPositionals: true,
		options: {
			data: { type: "string" },
			"http-port": { type: "string" },
			detach: { type: "boolean", short: "d" },
			json: { type: "boolean" },
			follow: { type: "boolean", short: "f" },
			"volumes-device": { type: "string" },
			containers: { type: "string" },
			to: { type: "string" },
			from: { type: "string" },
			time: { type: "string" },
			keep: { type: "string" },
		},
	});
}
