import { ObjectStoreError } from "../errors.ts";
import { S3Error } from "./errors.ts";

/** What requests are signed with. */
export interface S3Credentials {
	readonly accessKeyId: string;
	readonly secretAccessKey: string;
	readonly sessionToken?: string | undefined;
}

/** The present credentials, which others may take the place of while the store is open. */
export interface HeldCredentials {
	present(): S3Credentials;
	/**
	 * Reads them again after the store refused these, at most once in a while; calls at once share one reading.
	 * @returns whether there are others now, so that the same request may be signed anew.
	 * @throws ObjectStoreError `refused` when they cannot be read.
	 */
	renew(refused: S3Credentials): Promise<boolean>;
}

/**
 * @param readAgain where they came from; without it they stay what they are.
 * @param rereadAfterMs the least time between two readings: a store that refuses all is asked often.
 */
export function holdCredentials(
	first: S3Credentials,
	readAgain: (() => Promise<S3Credentials>) | undefined,
	rereadAfterMs: number,
): HeldCredentials {
	let present = first;
	let notBeforeMs = 0;
	let reading: Promise<void> | undefined;

	async function read(from: () => Promise<S3Credentials>) {
		notBeforeMs = performance.now() + rereadAfterMs;
		const found = await from().catch((error: unknown) => {
			const why = error instanceof Error ? error.message : String(error);
			throw new ObjectStoreError("refused", `The object store takes other credentials than these now. ${why}`, error);
		});
		if (!isSame(found, present)) present = found;
	}

	return {
		present: () => present,

		async renew(refused) {
			if (present !== refused) return true;
			if (!readAgain) return false;
			if (!reading && performance.now() < notBeforeMs) return false;
			reading ??= read(readAgain).finally(() => {
				reading = undefined;
			});
			await reading;
			return present !== refused;
		},
	};
}

function isSame(one: S3Credentials, other: S3Credentials): boolean {
	return (
		one.accessKeyId === other.accessKeyId &&
		one.secretAccessKey === other.secretAccessKey &&
		one.sessionToken === other.sessionToken
	);
}

/** What stores answer with another status than 403 to credentials that are over. */
const overCodes = new Set(["ExpiredToken", "InvalidToken", "TokenRefreshRequired"]);

/** Whether other credentials might be let in. The answer to a HEAD says its status alone. */
export function refusesCredentials(error: unknown): boolean {
	if (!(error instanceof S3Error) || error.isPassing) return false;
	if (error.status === 401 || error.status === 403) return true;
	return overCodes.has(error.s3Code) || (error.status === 400 && error.s3Code === "");
}
