import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { readConfig } from "@repldock/service";
import { type ObjectServer, startObjectServer } from "../../../tests/support/object-server.ts";
import {
	type ObjectInfo,
	type ObjectStore,
	objectOptions,
	openFolderStore,
	openObjectStore,
	openS3Store,
	parseLocation,
	type S3Credentials,
	type S3Times,
} from "../src/index.ts";

export interface TestStore {
	readonly store: ObjectStore;
	close(): Promise<void>;
}

export async function folderStore(): Promise<TestStore & { directory: string }> {
	const directory = await mkdtemp(join(tmpdir(), "repldock-objects-"));
	const store = await openFolderStore(join(directory, "store"));
	return { store, directory: join(directory, "store"), close: () => rm(directory, { recursive: true, force: true }) };
}

/** Through the small S3 of the tests; small pages, so that every listing has several. */
export async function s3Store(
	style: "path" | "host",
	options: { sessionToken?: string; pageKeys?: number; times?: Partial<S3Times>; prefix?: string } = {},
): Promise<TestStore & { server: ObjectServer }> {
	const server = await startObjectServer({
		pageKeys: options.pageKeys ?? 7,
		...(options.sessionToken ? { sessionToken: options.sessionToken } : {}),
	});
	const store = openS3(server, style, options);
	return { store, server, close: () => server.close() };
}

export function openS3(
	server: ObjectServer,
	style: "path" | "host",
	options: { times?: Partial<S3Times>; prefix?: string; readCredentials?: () => Promise<S3Credentials> } = {},
): ObjectStore {
	return openS3Store(
		{
			...server.credentials,
			endpoint: `http://store.test:${server.port}`,
			bucket: server.bucket,
			style,
			// Every name of the test's own zone is this machine.
			lookup: (_name, options, done) =>
				options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
			times: { firstRetryMs: 1, mostRetryMs: 20, ...options.times },
			readCredentials: options.readCredentials,
		},
		options.prefix ?? "tests/here",
	);
}

/** `REPLDOCK_TEST_OBJECTS=s3://bucket/prefix` with the options of docs/CONFIGURATION.md; nothing else is touched there. */
export const realBucket = process.env.REPLDOCK_TEST_OBJECTS;

export async function bucketStore(): Promise<TestStore> {
	const location = parseLocation(`${realBucket}/${randomUUID()}`);
	const store = await openObjectStore(location, readConfig(objectOptions, process.env));
	return {
		store,
		async close() {
			await store.remove((await listed(store, "")).map(({ key }) => key));
		},
	};
}

export async function listed(store: ObjectStore, prefix: string, after?: string): Promise<ObjectInfo[]> {
	const found: ObjectInfo[] = [];
	for await (const info of store.list(prefix, after === undefined ? {} : { after })) found.push(info);
	return found;
}

export async function keysOf(store: ObjectStore, prefix: string, after?: string): Promise<string[]> {
	return (await listed(store, prefix, after)).map(({ key }) => key);
}

export async function bytesOf(body: Readable | Promise<Readable>): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of await body) chunks.push(chunk);
	return Buffer.concat(chunks);
}

/** For bodies of megabytes, which a red test would print. */
export async function lengthOf(body: Readable | Promise<Readable>): Promise<number> {
	return (await bytesOf(body)).length;
}
