import { runCommand } from "@repldock/service";

/** Sets and removes TXT records where the operator's DNS is. */
export interface DnsRecords {
	/** Resolves when the record can be asked for. */
	present(record: string, value: string): Promise<void>;
	cleanup(record: string, value: string): Promise<void>;
}

/** A record may take minutes to reach all name servers of a domain. */
const hookTimeoutMs = 10 * 60_000;

/** By a program of the operator's, called as `<program> present|cleanup <record> <value>`. */
export function createDnsHook(program: string): DnsRecords {
	const run = (action: string) => async (record: string, value: string) => {
		await runCommand(program, [action, record, value], { timeoutMs: hookTimeoutMs });
	};
	return { present: run("present"), cleanup: run("cleanup") };
}
