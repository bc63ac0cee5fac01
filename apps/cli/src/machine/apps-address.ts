import { networkInterfaces } from "node:os";
import { isWayOut } from "@repldock/service";
import type { Finding } from "./finding.ts";

const name = "apps address";

/** What an operator must know of REPLDOCK_APPS_ADDRESS before visitors, or he himself, meet closed doors. */
export async function appsAddressFindings(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
	const address = environment.REPLDOCK_APPS_ADDRESS;
	if (!address) return [];
	const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	if (!own.some((each) => each.address === address)) {
		const mend = `ip address add ${address}/32 dev lo (and let your network send it here)`;
		return [{ name, state: "warning", detail: `no interface of this machine has ${address}`, mend }];
	}
	if (await isWayOut(address)) {
		const detail = `${address} is the machine's own: ports on which it listens stay its own, SSH too, and are no app's`;
		return [{ name, state: "warning", detail, mend: "give the apps an address of their own to have all their ports" }];
	}
	// "client address, client port, server address, server port"
	if (process.env.SSH_CONNECTION?.split(" ")[2] === address) {
		const detail = `you came in by SSH at ${address}, where ports below 2001 are refused: the next time you would not get in`;
		return [
			{
				name,
				state: "wrong",
				detail,
				mend: "come in by the machine's other address, or choose another one for the apps",
			},
		];
	}
	return [{ name, state: "ok", detail: `${address}, the apps' alone` }];
}
