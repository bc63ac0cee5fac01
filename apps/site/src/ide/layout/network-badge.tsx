import type { NetworkSettings } from "@repldock/protocol";
import { Badge } from "@repldock/ui";
import { Network } from "lucide-react";
import { useEffect, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

/** Why a program may fail to reach something; nothing while the network is open. */
export function NetworkBadge() {
	const { site, rights } = useWorkspace();
	const mayEdit = useStore(rights) === "edit";
	const [settings, setSettings] = useState<NetworkSettings>();

	useEffect(() => {
		if (!mayEdit) return;
		let current = true;
		const load = () =>
			site.network().then(
				(loaded) => current && setSettings(loaded),
				(error: unknown) => console.warn("The network's mode could not be read:", problemOf(error).detail),
			);
		void load();
		// It is changed on another page.
		window.addEventListener("focus", load);
		return () => {
			current = false;
			window.removeEventListener("focus", load);
		};
	}, [site, mayEdit]);

	const look = settings && lookOf(settings);
	if (!look) return null;
	return (
		<span className="ide-network-mode" title={look.title}>
			<Badge tone="warning" icon={<Network aria-hidden />}>
				{look.label}
			</Badge>
		</span>
	);
}

function lookOf({ mode, restriction }: NetworkSettings): { label: string; title: string } | null {
	if (restriction?.kind === "closed")
		return { label: "Network closed", title: `By an operator: ${restriction.reason}` };
	if (mode === "closed") return { label: "Network closed", title: "Programs of this project reach nothing." };
	if (mode === "allow-list")
		return { label: "Allow-list", title: "Programs of this project reach the domains of its list alone." };
	return null;
}
