import { openNetwork } from "@repldock/protocol";
import { runCommand } from "@repldock/service";
import { z } from "zod";
import type { Member } from "../../src/network/parts.ts";
import type { StartedContainer } from "../host/machine.ts";

const Links = z.array(z.object({ link_index: z.int(), address: z.string() }));
const Named = z.array(z.object({ ifindex: z.int(), ifname: z.string() }));

/** A started container as a member of the network, with an open policy. */
export async function attachable(container: StartedContainer, number: number): Promise<Member> {
	const inside = ["--net", `--target=${container.pid}`, "ip", "-json", "link", "show", "eth0"];
	const [end] = Links.parse(JSON.parse(await runCommand("nsenter", inside)));
	const links = Named.parse(JSON.parse(await runCommand("ip", ["-json", "link"])));
	const interfaceName = links.find(({ ifindex }) => ifindex === end?.link_index)?.ifname;
	if (!interfaceName || !end) throw new Error("The container has no cable.");
	const { projectId } = container.specification;
	const { id: containerId, address } = container;
	return {
		projectId,
		ownerId: projectId,
		containerId,
		number,
		address,
		hardwareAddress: end.address,
		interfaceName,
		policy: openNetwork,
	};
}
