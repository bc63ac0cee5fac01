import { type Config, type Option, parse } from "@repldock/service";
import { isKey } from "./keys.ts";

/** Where objects are: a folder of the machine, or a path in a bucket. */
export type ObjectLocation =
	| { readonly kind: "folder"; readonly path: string }
	| { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

/** `folder:/path` or `s3://bucket/prefix`. @throws Error with the end of a sentence that begins with the text. */
export function parseLocation(text: string): ObjectLocation {
	const folder = /^folder:(\/.+)$/.exec(text)?.[1];
	if (folder) return { kind: "folder", path: folder };
	const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?))?\/?$/.exec(text) ?? [];
	if (bucket && (prefix === "" || isKey(prefix))) return { kind: "s3", bucket, prefix };
	throw new Error("is neither folder:/path nor s3://bucket/prefix");
}

/** Options of the object store; the node's and the command line's. Secrets are read from files where those are set. */
export const objectOptions = {
	objects: {
		variable: "REPLDOCK_OBJECTS",
		fallback: "",
		parse: (text: string) => (text === "" ? undefined : parseLocation(text)),
		description:
			"Where checkpoints and backups are kept: `folder:/path` or `s3://bucket/prefix`; empty means `<data>/objects`, which a lost disk takes along.",
	},
	s3Endpoint: {
		variable: "REPLDOCK_S3_ENDPOINT",
		fallback: "",
		parse: (text: string) => (text === "" ? undefined : parse.url(text)),
		description:
			"Address of the S3 store, for R2 `https://<account>.r2.cloudflarestorage.com`; empty means Amazon's of the region.",
	},
	s3Region: {
		variable: "REPLDOCK_S3_REGION",
		fallback: "us-east-1",
		parse: parse.text,
		description: "Region that requests are signed for; R2 takes the default.",
	},
	s3Style: {
		variable: "REPLDOCK_S3_STYLE",
		fallback: "path",
		parse: parse.oneOf("path", "host"),
		description: "Whether the bucket is named in the path or in the host name of a request.",
	},
	s3AccessKeyId: {
		variable: "REPLDOCK_S3_ACCESS_KEY_ID",
		fallback: "",
		parse: parse.optionalText,
		description: "Access key of the S3 store.",
	},
	s3AccessKeyIdFile: {
		variable: "REPLDOCK_S3_ACCESS_KEY_ID_FILE",
		fallback: "",
		parse: parse.optionalText,
		description:
			"File that holds the access key, where it changes with the secret, as that of temporary credentials does.",
	},
	s3SecretAccessKey: {
		variable: "REPLDOCK_S3_SECRET_ACCESS_KEY",
		fallback: "",
		parse: parse.optionalText,
		description: "Its secret; better in a file.",
		secret: true,
	},
	s3SecretAccessKeyFile: {
		variable: "REPLDOCK_S3_SECRET_ACCESS_KEY_FILE",
		fallback: "",
		parse: parse.optionalText,
		description:
			"File that holds the secret, readable by root alone; read again with each start, and when the store refuses it.",
	},
	s3SessionToken: {
		variable: "REPLDOCK_S3_SESSION_TOKEN",
		fallback: "",
		parse: parse.optionalText,
		description: "Session token of temporary credentials.",
		secret: true,
	},
	s3SessionTokenFile: {
		variable: "REPLDOCK_S3_SESSION_TOKEN_FILE",
		fallback: "",
		parse: parse.optionalText,
		description: "File that holds the session token; read again like the secret.",
	},
} as const satisfies Record<string, Option<unknown>>;

export type ObjectConfig = Config<typeof objectOptions>;
