import { parse } from "@repldock/service";

/** What the holder must be told; it runs with these alone, so that it needs no restart when the agent's options change. */
export const holderOptions = {
	runDirectory: {
		variable: "REPLDOCK_RUN_DIRECTORY",
		fallback: undefined,
		parse: parse.text,
		description: "Directory of the node's sockets; the holder makes `holder.sock` and `holder-control.sock` in it.",
	},
	engineSocket: {
		variable: "REPLDOCK_ENGINE_SOCKET",
		fallback: undefined,
		parse: parse.text,
		description: "Socket of the node's Docker Engine.",
	},
	accessSecretFile: {
		variable: "REPLDOCK_ACCESS_SECRET_FILE",
		fallback: undefined,
		parse: parse.text,
		description: "File with the secret under which the agent signs access tokens.",
	},
	logLevel: {
		variable: "REPLDOCK_LOG_LEVEL",
		fallback: "info",
		parse: parse.oneOf("debug", "info", "warn", "error"),
		description: "How much the holder writes to its log.",
	},
} as const;
