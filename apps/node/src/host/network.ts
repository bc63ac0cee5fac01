import { readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CommandError, runCommand } from "@repldock/service";
import { z } from "zod";
import type { Network } from "../host.ts";
import { type FilterOptions, filterScript, removeScript } from "./network-filter.ts";
import { applyScript, ensureTables } from "./nft.ts";
import { giveBackShared, holdShared } from "./shared-settings.ts";
import { gatewayOf } from "./subnet.ts";

const namePattern = /^[a-z][a-z0-9_-]{0,14}$/;
const forwardingSwitch = "/proc/sys/net/ipv4/ip_forward";
const Links = z.array(z.object({ linkinfo: z.object({ info_kind: z.string().optional() }).optional() }));

/** Switches on what lets packets pass through the machine, should somebody have switched it off. @returns whether it was off. */
export async function mendForwarding(): Promise<boolean> {
	if ((await readFile(forwardingSwitch, "utf8")).trim() === "1") return false;
	await writeFile(forwardingSwitch, "1");
	return true;
}

const forwarding = { [forwardingSwitch]: 1 };

/** Where the instances stand that need forwarding. Each network namespace has a switch of its own. */
async function forwardingDirectory(): Promise<string> {
	return join("/run/repldock/forwarding", (await readlink("/proc/self/ns/net")).replace(/\D/g, ""));
}

/** The node's bridge and packet filter. */
export function createNetwork(options: FilterOptions): Network {
	const { bridge, subnet, egress, table } = options;
	if (!namePattern.test(bridge)) throw new Error(`${bridge} is not a good bridge name.`);
	if (!namePattern.test(table)) throw new Error(`${table} is not a good table name.`);

	async function ensureBridge(): Promise<void> {
		const kind = await linkKind(bridge);
		if (kind !== null && kind !== "bridge") throw new Error(`The interface ${bridge} exists and is not a bridge.`);
		if (kind === null) await runCommand("ip", ["link", "add", "name", bridge, "type", "bridge"]);
		// Frames between two containers pass the filter too, so that it can refuse them.
		const filtered = ["type", "bridge", "nf_call_iptables", "1", "nf_call_ip6tables", "1"];
		await runCommand("ip", ["link", "set", "dev", bridge, ...filtered]);
		await disableIpv6(bridge);
		await runCommand("ip", ["address", "replace", gatewayOf(subnet), "dev", bridge]);
		await runCommand("ip", ["link", "set", "dev", bridge, "up"]);
	}

	return {
		async ensure() {
			await loadBridgeFilter();
			// The filter first: it names interfaces that need not exist yet, and nothing is open for a moment.
			await ensureTables(filterScript(options), table);
			await ensureBridge();
			if (egress === "open") await holdShared(await forwardingDirectory(), table, forwarding);
		},

		async release() {
			await giveBackShared(await forwardingDirectory(), table, forwarding);
			if ((await linkKind(bridge)) === "bridge") {
				// A container whose start was broken off leaves both ends of its cable here.
				for (const port of await portsOf(bridge)) await runCommand("ip", ["link", "delete", "dev", port]);
				await runCommand("ip", ["link", "delete", "dev", bridge]);
			}
			await applyScript(removeScript(table));
		},
	};
}

async function portsOf(bridge: string): Promise<string[]> {
	const output = await runCommand("ip", ["-json", "link", "show", "master", bridge]);
	return z
		.array(z.object({ ifname: z.string() }))
		.parse(JSON.parse(output))
		.map(({ ifname }) => ifname);
}

/** @returns null when there is no such interface, `""` when it is a plain device. */
async function linkKind(name: string): Promise<string | null> {
	try {
		const output = await runCommand("ip", ["-json", "-details", "link", "show", "dev", name]);
		return Links.parse(JSON.parse(output))[0]?.linkinfo?.info_kind ?? "";
	} catch (error) {
		if (error instanceof CommandError && error.stderr.includes("does not exist")) return null;
		throw error;
	}
}

/**
 * Frames on a bridge reach the filter only with the kernel's br_netfilter. Loading it turns the same on for all
 * bridges of the machine; since it was off for them before, it is turned off again: ours asks by itself.
 */
async function loadBridgeFilter(): Promise<void> {
	const settings = "/proc/sys/net/bridge";
	const loaded = await readFile(`${settings}/bridge-nf-call-iptables`, "utf8").catch(ignoreMissing);
	if (loaded !== null) return;
	await runCommand("modprobe", ["br_netfilter"]);
	for (const family of ["iptables", "ip6tables", "arptables"])
		await writeFile(`${settings}/bridge-nf-call-${family}`, "0");
}

/** A kernel without IPv6 has nothing to turn off. */
async function disableIpv6(name: string): Promise<void> {
	await writeFile(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1").catch(ignoreMissing);
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
	if (error.code === "ENOENT") return null;
	throw error;
}
