import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RepldockConfigError } from "@repldock/service";
import { openFolderStore } from "./folder.ts";
import type { ObjectConfig, ObjectLocation } from "./options.ts";
import type { S3Credentials } from "./s3/credentials.ts";
import { openS3Store } from "./s3/store.ts";
import type { ObjectStore } from "./store.ts";

/** Where the instance's objects are: as the options say, otherwise in its data directory. */
export function objectLocation(config: ObjectConfig, dataDirectory: string): ObjectLocation {
	return config.objects ?? { kind: "folder", path: join(dataDirectory, "objects") };
}

/**
 * Opens a store with the credentials of the options. Those in files may be replaced while it is open.
 * @throws RepldockConfigError when credentials are missing or their file cannot be read.
 */
export async function openObjectStore(location: ObjectLocation, config: ObjectConfig): Promise<ObjectStore> {
	if (location.kind === "folder") return openFolderStore(location.path);
	const files = [config.s3AccessKeyIdFile, config.s3SecretAccessKeyFile, config.s3SessionTokenFile];
	const isInFiles = files.some((file) => file !== undefined);
	return openS3Store(
		{
			endpoint: config.s3Endpoint ?? `https://s3.${config.s3Region}.amazonaws.com`,
			region: config.s3Region,
			style: config.s3Style,
			bucket: location.bucket,
			...(await readCredentials(config)),
			...(isInFiles ? { readCredentials: () => readCredentials(config) } : {}),
		},
		location.prefix,
	);
}

/** @throws RepldockConfigError */
async function readCredentials(config: ObjectConfig): Promise<S3Credentials> {
	const accessKeyId = await secretOf(config.s3AccessKeyId, config.s3AccessKeyIdFile);
	const secretAccessKey = await secretOf(config.s3SecretAccessKey, config.s3SecretAccessKeyFile);
	if (!accessKeyId || !secretAccessKey) {
		throw new RepldockConfigError([
			"An S3 store needs REPLDOCK_S3_ACCESS_KEY_ID and REPLDOCK_S3_SECRET_ACCESS_KEY_FILE (or …_KEY).",
		]);
	}
	const sessionToken = await secretOf(config.s3SessionToken, config.s3SessionTokenFile);
	return { accessKeyId, secretAccessKey, sessionToken };
}

async function secretOf(value: string | undefined, file: string | undefined): Promise<string | undefined> {
	if (!file) return value;
	try {
		return (await readFile(file, "utf8")).trim();
	} catch (error) {
		throw new RepldockConfigError([
			`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
		]);
	}
}
