import {
	assumedUplinkBitsPerSecond,
	CommandError,
	measureUplink,
	parse,
	runCommand,
	type Uplink,
} from "@repldock/service";
import type { Finding } from "./finding.ts";

const name = "uplink";

/** What containers share, and what an operator should set. */
export async function uplinkFindings(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
	if (environment.REPLDOCK_SHAPING === "off") {
		const detail = "REPLDOCK_SHAPING is off: containers do not share the uplink fairly";
		return [{ name, state: "warning", detail, mend: "take the option away" }];
	}
	const uplink = await measureUplink();
	const missing = await missingOfKernel();
	return [...(missing ? [missing] : []), judge(environment.REPLDOCK_UPLINK, uplink)];
}

/** A sentence for whoever starts an instance without the option; null when it is set. */
export async function assumedUplink(environment: NodeJS.ProcessEnv): Promise<string | null> {
	if (environment.REPLDOCK_UPLINK || environment.REPLDOCK_SHAPING === "off") return null;
	const uplink = await measureUplink();
	return `Containers share ${formatRate(measured(uplink))} of uplink (${tells(uplink)}); set REPLDOCK_UPLINK to what your line carries.`;
}

function judge(option: string | undefined, uplink: Uplink | null): Finding {
	if (!option) {
		const mend = `REPLDOCK_UPLINK=${formatOption(measured(uplink))} (or what your line carries, if that is less)`;
		return { name, state: "warning", detail: `REPLDOCK_UPLINK is not set; ${tells(uplink)}`, mend };
	}
	let bitsPerSecond: number;
	try {
		bitsPerSecond = parse.bitRate(option);
	} catch (error) {
		const detail = `REPLDOCK_UPLINK: "${option}" ${error instanceof Error ? error.message : "is not valid"}`;
		return { name, state: "wrong", detail, mend: `REPLDOCK_UPLINK=${formatOption(measured(uplink))}` };
	}
	if (uplink?.bitsPerSecond && uplink.bitsPerSecond < bitsPerSecond) {
		const detail = `REPLDOCK_UPLINK is ${option}, but ${tells(uplink)}: shares are not fair above that`;
		return { name, state: "warning", detail, mend: `REPLDOCK_UPLINK=${formatOption(uplink.bitsPerSecond)}` };
	}
	return { name, state: "ok", detail: formatRate(bitsPerSecond) };
}

const measured = (uplink: Uplink | null) => uplink?.bitsPerSecond ?? assumedUplinkBitsPerSecond;

function tells(uplink: Uplink | null): string {
	if (!uplink) return "the machine has no default route";
	if (uplink.bitsPerSecond === null) return `${uplink.device} does not tell its speed`;
	return `${uplink.device} is a link of ${formatRate(uplink.bitsPerSecond)}`;
}

function formatRate(bitsPerSecond: number): string {
	return bitsPerSecond >= 1e9 ? `${bitsPerSecond / 1e9} Gbit/s` : `${bitsPerSecond / 1e6} Mbit/s`;
}

function formatOption(bitsPerSecond: number): string {
	return bitsPerSecond >= 1e9 ? `${bitsPerSecond / 1e9}gbit` : `${bitsPerSecond / 1e6}mbit`;
}

/** Tried out in a network namespace that ends with the command. */
async function missingOfKernel(): Promise<Finding | null> {
	const redirect = "action mirred egress redirect dev lo";
	const lines = [
		"qdisc add dev lo root handle 1: htb",
		"class add dev lo parent 1: classid 1:1 htb rate 1mbit",
		"qdisc add dev lo parent 1:1 tbf rate 1mbit burst 32768 limit 32768",
		"qdisc add dev lo handle ffff: ingress",
		`filter add dev lo parent ffff: protocol all pref 1 bpf bytecode '1,6 0 0 0' ${redirect}`,
		`filter add dev lo parent ffff: protocol all pref 2 u32 match u32 0 0 ${redirect}`,
	];
	try {
		await runCommand("unshare", ["--net", "ip", "link", "add", "name", "probe", "type", "ifb"]);
		await runCommand("unshare", ["--net", "tc", "-batch", "-"], { input: `${lines.join("\n")}\n` });
		return null;
	} catch (error) {
		if (!(error instanceof CommandError)) throw error;
		const reason = error.stderr.trim().split("\n")[0];
		return {
			name: "fair shares",
			state: "wrong",
			detail: `the kernel cannot do all that is needed (${reason})`,
			mend: "modprobe -a ifb sch_htb sch_ingress sch_tbf cls_u32 cls_bpf act_mirred, or REPLDOCK_SHAPING=off",
		};
	}
}
