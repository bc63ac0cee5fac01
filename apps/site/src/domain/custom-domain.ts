import { domainToASCII, domainToUnicode } from "node:url";
import { type Domain, RepldockError } from "@repldock/protocol";
import type { AppsAddress } from "./address.ts";

/** Top-level names that are nobody's, or mean something inside one network only. */
const privateEndings = new Set(["localhost", "local", "internal", "invalid", "onion", "arpa", "lan", "home"]);

/** Names that are ours. */
export interface OwnHosts {
	readonly siteHost: string;
	readonly appsDomain: string;
}

function refuse(sentence: string): RepldockError {
	return new RepldockError("invalid_input", sentence, { fields: { name: sentence } });
}

const isWithin = (name: string, domain: string) => name === domain || name.endsWith(`.${domain}`);

/**
 * The one spelling of a domain that a person wrote: small letters, punycode, no scheme, path or last dot.
 * @throws RepldockError `invalid_input` when it is no name that can be a project's.
 */
export function normaliseDomain(text: string, own: OwnHosts): string {
	const bare = text
		.trim()
		.replace(/^https?:\/\//i, "")
		.replace(/\/$/, "")
		.replace(/\.$/, "");
	const name = /[\s/@:?#%[\]\\]/.test(bare) ? "" : domainToASCII(bare);
	const labels = name.split(".");
	const ending = labels.at(-1) ?? "";
	if (labels.some((label) => !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) || name.length > 253) {
		throw refuse("This is not a domain; write one such as www.example.com.");
	}
	if (/^\d+$/.test(ending)) throw refuse("This is an address; write a domain such as www.example.com.");
	if (isWithin(name, own.siteHost) || isWithin(name, own.appsDomain)) {
		throw refuse(
			"This name belongs to Repldock itself. To change your app's own address, change the project's address.",
		);
	}
	// Every top-level name of the internet begins with a letter.
	if (labels.length < 2 || !/^[a-z]/.test(ending) || privateEndings.has(ending)) {
		throw refuse("This name is not one of the internet's; write one such as www.example.com.");
	}
	return name;
}

/** Where the proof may be: a TXT record with the domain's token, or a CNAME to the project's own address. */
export function proofRecords(name: string, token: string, slug: string, apps: AppsAddress): Domain["records"] {
	return [
		{ type: "CNAME", name, value: `${slug}.${apps.domain}` },
		{ type: "TXT", name: `_repldock.${name}`, value: token },
	];
}

/** What DNS said of the two names. */
export interface DnsAnswers {
	readonly txt: readonly string[];
	readonly cname: readonly string[];
}

export function isProved(answers: DnsAnswers, records: Domain["records"]): boolean {
	const plain = (host: string) => host.toLowerCase().replace(/\.$/, "");
	return records.some(({ type, value }) =>
		type === "TXT" ? answers.txt.includes(value) : answers.cname.some((host) => plain(host) === plain(value)),
	);
}

export interface DomainTimes {
	readonly verifiedAt: Date | null;
	readonly missingSince: Date | null;
}

/** How a check of the proof changes a domain; times that stay as they are stay the same object. */
export function afterCheck(before: DomainTimes, proved: boolean, now: Date, graceMs: number): DomainTimes {
	if (proved) return { verifiedAt: before.verifiedAt ?? now, missingSince: null };
	if (!before.verifiedAt) return before;
	const missingSince = before.missingSince ?? now;
	if (now.getTime() - missingSince.getTime() >= graceMs) return { verifiedAt: null, missingSince: null };
	return { verifiedAt: before.verifiedAt, missingSince };
}

export function domainState({ verifiedAt, missingSince }: DomainTimes): Domain["state"] {
	if (!verifiedAt) return "waiting";
	return missingSince ? "losing" : "ready";
}

/** As people write it. */
export function displayName(name: string): string {
	return domainToUnicode(name) || name;
}
