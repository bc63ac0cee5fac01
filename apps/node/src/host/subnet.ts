import { runCommand } from "@repldock/service";
import { z } from "zod";

const Routes = z.array(z.object({ dst: z.string() }));

/** An IPv4 network: its first address as a number, and its prefix length. */
interface Block {
	start: number;
	length: number;
}

/** Containers per node are bounded by this: 1022 addresses. */
const prefixLength = 22;

/** Where a free subnet is looked for: private ranges that other programs seldom take first. */
const candidates = ["10.213.0.0/16", "172.29.0.0/16", "192.168.208.0/20", "10.96.0.0/12"];

/**
 * A subnet that no route of this machine touches.
 * @param preferred CIDR that is taken when it is free, for example the one of the last start.
 * @throws Error when nothing is free.
 */
export async function chooseSubnet(preferred?: string): Promise<string> {
	const output = await runCommand("ip", ["-json", "-4", "route", "show", "table", "all"]);
	const used = Routes.parse(JSON.parse(output)).flatMap(({ dst }) => (dst === "default" ? [] : [parseBlock(dst)]));
	const isFree = (block: Block) => used.every((route) => !overlaps(route, block));
	if (preferred !== undefined && isFree(parseBlock(preferred))) return preferred;
	for (const candidate of candidates.map(parseBlock)) {
		for (let start = candidate.start; start < end(candidate); start += 2 ** (32 - prefixLength)) {
			const block = { start, length: prefixLength };
			if (isFree(block)) return formatBlock(block);
		}
	}
	throw new Error("No private subnet is free for containers; name one with the subnet option.");
}

/** The first address of a subnet, which the node itself takes, with the prefix length: `10.213.0.1/22`. */
export function gatewayOf(subnet: string): string {
	const block = parseBlock(subnet);
	return formatBlock({ start: block.start + 1, length: block.length });
}

/** As `gatewayOf`, the address alone. */
export function gatewayAddress(subnet: string): string {
	return gatewayOf(subnet).split("/")[0] ?? "";
}

/** An IPv4 network as it is written, without the bits beyond its prefix. @throws Error when it is none. */
export const requireSubnet = (text: string): string => formatBlock(parseBlock(text));

/** @throws Error when the text is no IPv4 CIDR; a lone address counts as /32. */
function parseBlock(text: string): Block {
	const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
	const bytes = match?.slice(1, 5).map(Number) ?? [];
	const length = Number(match?.[5] ?? 32);
	if (!match || bytes.some((byte) => byte > 255) || length > 32) throw new Error(`${text} is not an IPv4 subnet.`);
	const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
	const size = 2 ** (32 - length);
	return { start: address - (address % size), length };
}

function formatBlock({ start, length }: Block): string {
	const bytes = [24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256);
	return `${bytes.join(".")}/${length}`;
}

const end = (block: Block) => block.start + 2 ** (32 - block.length);
const overlaps = (a: Block, b: Block) => a.start < end(b) && b.start < end(a);
