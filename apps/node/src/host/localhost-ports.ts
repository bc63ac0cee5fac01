import { runCommand } from "@repldock/service";

const table = "repldock";

/**
 * Lets the edge reach servers that listen on a container's loopback address alone: connections to these ports of the
 * container's address are led there, inside of its own network namespace. Replaces what an earlier call said; an empty
 * list takes it back. All of it goes with the container.
 * @param containerPid host process id of the container's init.
 * @throws CommandError when the container is gone.
 */
export async function exposeLocalhost(containerPid: number, ports: readonly number[]): Promise<void> {
	const inside = [`--net=/proc/${containerPid}/ns/net`, "--"];
	await runCommand("nsenter", [...inside, "nft", "-f", "-"], { input: script(ports) });
	// Else the kernel takes packets from outside to a loopback address for forged ones.
	const input = ports.length > 0 ? "1" : "0";
	await runCommand("nsenter", [...inside, "tee", "/proc/sys/net/ipv4/conf/eth0/route_localnet"], { input });
}

function script(ports: readonly number[]): string {
	const removed = `table ip ${table}\ndelete table ip ${table}\n`;
	if (ports.length === 0) return removed;
	return `${removed}table ip ${table} {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		iifname "eth0" tcp dport { ${ports.join(", ")} } dnat to 127.0.0.1
	}
	chain input {
		type filter hook input priority filter; policy accept;
		iifname "eth0" ip daddr 127.0.0.0/8 ct status dnat accept
		iifname "eth0" ip daddr 127.0.0.0/8 drop
	}
}
`;
}
