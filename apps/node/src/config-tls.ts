import { type Config, parse, RepldockConfigError } from "@repldock/service";

const list = (text: string): string[] => text.split(",").flatMap((part) => part.trim() || []);

/** Options of the edge's TLS and where its certificates come from. */
export const tlsOptions = {
	httpsPort: {
		variable: "REPLDOCK_HTTPS_PORT",
		fallback: "",
		parse: (text: string) => (text === "" ? undefined : parse.integer(1, 65_535)(text)),
		description: "The TCP port on which the edge speaks TLS; empty means that it does not.",
	},
	tls: {
		variable: "REPLDOCK_TLS",
		fallback: "off",
		parse: parse.oneOf("off", "files", "acme", "local"),
		description:
			"Where certificates come from: `files` of yours, an `acme` authority such as Let's Encrypt, or a `local` authority of this machine, for tries.",
	},
	tlsCertificates: {
		variable: "REPLDOCK_TLS_CERTIFICATE",
		fallback: "",
		parse: list,
		description:
			"Your certificate chain (PEM), or several with commas between; read again when changed. With `acme` or `local`, only names that it does not cover are asked for.",
	},
	tlsKeys: {
		variable: "REPLDOCK_TLS_KEY",
		fallback: "",
		parse: list,
		description: "The private key of REPLDOCK_TLS_CERTIFICATE (PEM), or several in the same order.",
	},
	httpsRedirect: {
		variable: "REPLDOCK_HTTPS_REDIRECT",
		fallback: "off",
		parse: parse.boolean,
		description: "Whether visitors of the plain port are sent to TLS where there is a certificate for their host.",
	},
	hstsMs: {
		variable: "REPLDOCK_HSTS",
		fallback: "",
		parse: (text: string) => (text === "" ? 0 : parse.duration(text)),
		description:
			"How long browsers are to insist on TLS (Strict-Transport-Security), for example `180d`; empty means not at all.",
	},
	acmeDirectory: {
		variable: "REPLDOCK_ACME_DIRECTORY",
		fallback: "https://acme-v02.api.letsencrypt.org/directory",
		parse: parse.url,
		description: "Directory of the ACME authority.",
	},
	acmeEmail: {
		variable: "REPLDOCK_ACME_EMAIL",
		fallback: "",
		parse: parse.optionalText,
		description: "Where the ACME authority may write to you.",
	},
	acmeAgree: {
		variable: "REPLDOCK_ACME_AGREE",
		fallback: "no",
		parse: parse.boolean,
		description: "`yes` says that you agree to the terms of the ACME authority; without it none is asked.",
	},
	acmeDnsHook: {
		variable: "REPLDOCK_ACME_DNS_HOOK",
		fallback: "",
		parse: parse.optionalText,
		description:
			"Program that sets and removes TXT records for wildcards, called as `<program> present <record> <value>` and `<program> cleanup <record> <value>`.",
	},
} as const;

/** @throws RepldockConfigError when the options contradict each other; every problem is named. */
export function checkTls(config: Config<typeof tlsOptions>): void {
	const problems: string[] = [];
	const { tls, httpsPort } = config;
	if (tls !== "off" && httpsPort === undefined)
		problems.push(`REPLDOCK_TLS is ${tls}, but REPLDOCK_HTTPS_PORT is empty.`);
	if (tls === "off" && httpsPort !== undefined) problems.push("REPLDOCK_HTTPS_PORT is set, but REPLDOCK_TLS is off.");
	if (tls === "files" && config.tlsCertificates.length === 0)
		problems.push("REPLDOCK_TLS is files, but REPLDOCK_TLS_CERTIFICATE is empty.");
	if (config.tlsCertificates.length !== config.tlsKeys.length)
		problems.push("REPLDOCK_TLS_CERTIFICATE and REPLDOCK_TLS_KEY name different numbers of files.");
	if (tls === "acme" && !config.acmeAgree)
		problems.push("REPLDOCK_TLS is acme: read the authority's terms and set REPLDOCK_ACME_AGREE=yes.");
	if (problems.length > 0) throw new RepldockConfigError(problems);
}
