import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@repldock/service";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../../../../tests/support/wait.ts";
import { openSiteAddresses, type SiteAddresses } from "../../src/network/site-addresses.ts";

const hourMs = 60 * 60_000;
const siteUrl = "https://site.test:8443";
const log = createLog("test", "silent");

let directory: string;
let file: string;
let nowMs: number;
let answer: string[] | Error;
let opened: SiteAddresses[];

beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "repldock-addresses-"));
	file = join(directory, "site-addresses.json");
	nowMs = 1e12;
	answer = ["198.18.1.1", "198.18.1.2"];
	opened = [];
});
afterEach(async () => {
	for (const each of opened) await each.close();
	await rm(directory, { recursive: true });
});

async function open(change: { siteUrl?: string; everyMs?: number } = {}): Promise<SiteAddresses> {
	const lookUp = async (host: string) => {
		if (host !== "site.test" && host !== "198.18.9.9") throw new Error(`nobody is to ask for ${host}`);
		if (answer instanceof Error) throw answer;
		return host === "198.18.9.9" ? [host] : answer;
	};
	const addresses = await openSiteAddresses({ file, siteUrl, lookUp, now: () => nowMs, log, ...change });
	opened.push(addresses);
	return addresses;
}
const present = (addresses: SiteAddresses, expected: string[]) =>
	eventually(`the addresses ${expected.join()}`, () => addresses.present().join() === expected.join());

test("the host that the node dials and what the site says are known together, each change is told", async () => {
	const addresses = await open();
	const told: string[][] = [];
	await present(addresses, ["198.18.1.1", "198.18.1.2"]);
	addresses.onChange((list) => void told.push(list));
	addresses.told(["198.18.2.1", "198.18.1.1"]);
	addresses.told(["198.18.2.1", "198.18.1.1"]);
	expect(addresses.present()).toEqual(["198.18.1.1", "198.18.1.2", "198.18.2.1"]);
	// Another instance of the site knows another one.
	addresses.told(["198.18.2.2"]);
	expect(told).toEqual([
		["198.18.1.1", "198.18.1.2", "198.18.2.1"],
		["198.18.1.1", "198.18.1.2", "198.18.2.1", "198.18.2.2"],
	]);
});

test("an agent that finds no name server and no site knows what an earlier one knew", async () => {
	const earlier = await open();
	await present(earlier, ["198.18.1.1", "198.18.1.2"]);
	earlier.told(["198.18.2.1"]);
	await earlier.close();
	answer = new Error("no name server");
	nowMs += 100 * hourMs;
	expect((await open()).present()).toEqual(["198.18.1.1", "198.18.1.2", "198.18.2.1"]);
	await writeFile(file, "{");
	expect((await open()).present()).toEqual([]);
});

test("an address stays for a day after it was last said, and what one source says drops nothing of the other's", async () => {
	const addresses = await open({ everyMs: 20 });
	await present(addresses, ["198.18.1.1", "198.18.1.2"]);
	addresses.told(["198.18.2.1"]);
	answer = ["198.18.1.3"];
	await present(addresses, ["198.18.1.1", "198.18.1.2", "198.18.1.3", "198.18.2.1"]);
	nowMs += 25 * hourMs;
	await present(addresses, ["198.18.1.3", "198.18.2.1"]);
	addresses.told(["198.18.2.2"]);
	expect(addresses.present()).toEqual(["198.18.1.3", "198.18.2.2"]);
	// A failure says nothing.
	answer = new Error("no name server");
	nowMs += 25 * hourMs;
	addresses.told(["198.18.2.2"]);
	expect(addresses.present()).toEqual(["198.18.1.3", "198.18.2.2"]);
});

test("of a site on this machine or at an address of IPv6 nothing is refused, of an address itself", async () => {
	for (const url of ["http://localhost:8080", "http://repldock.localhost", "http://[2001:db8::1]"])
		expect((await open({ siteUrl: url })).present()).toEqual([]);
	answer = ["127.0.1.1", "198.18.1.1"];
	const addresses = await open();
	await present(addresses, ["198.18.1.1"]);
	await addresses.close();
	await present(await open({ siteUrl: "http://198.18.9.9" }), ["198.18.1.1", "198.18.9.9"]);
});

test("of many addresses the latest 64 of either source are kept, on disk too", async () => {
	const addresses = await open();
	await present(addresses, ["198.18.1.1", "198.18.1.2"]);
	const many = Array.from({ length: 64 }, (_, index) => `198.18.3.${index}`);
	addresses.told(many.slice(0, 40).map((address) => address.replace(".3.", ".4.")));
	nowMs += 1;
	addresses.told(many);
	expect(addresses.present()).toHaveLength(66);
	expect(addresses.present().some((address) => address.startsWith("198.18.4."))).toBe(false);
	await addresses.close();
	expect(Object.keys(JSON.parse(await readFile(file, "utf8")).told)).toHaveLength(64);
});
