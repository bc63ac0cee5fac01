import { Callout, Card, Progress } from "@repldock/ui";
import { describeRate } from "../../rates.ts";
import { ago } from "../../time.ts";
import type { NodeTrafficAnswer } from "./answers.ts";

/** What a node says is old when it is this old: three reports are missing. */
const staleAfterMs = 30_000;

/** How much of the uplink is used, and what each container is sure of. */
export function UplinkCard({ now, node }: Pick<NodeTrafficAnswer, "now" | "node">) {
	if (!now) {
		return (
			<Card title="Uplink">
				<p className="quiet">The node has not told of its network yet. It does within ten seconds of its start.</p>
			</Card>
		);
	}
	const isStale = Date.now() - Date.parse(now.at) > staleAfterMs;
	const hasUplink = now.uplinkBitsPerSecond > 0;
	const figures = [
		{ label: "Uplink", value: hasUplink ? describeRate(now.uplinkBitsPerSecond) : "Not set" },
		{ label: "Floor of a container", value: hasUplink ? describeRate(now.floorBitsPerSecond) : "None" },
		{ label: "Sending now", value: describeRate(now.sentBitsPerSecond) },
		{ label: "Receiving now", value: describeRate(now.receivedBitsPerSecond) },
		{ label: "Refused in 10 s", value: `${now.refusedPackets.toLocaleString("en")} packets` },
		{ label: "Containers", value: `${node.running} of ${node.slots}` },
	];
	return (
		<Card title="Uplink" description="What containers send to the internet, to visitors and to terminals.">
			{isStale && (
				<Callout tone="warning">These figures are from {ago(now.at)}; the node has not told newer ones.</Callout>
			)}
			{hasUplink && (
				<Progress label="Used of the uplink" value={Math.min(1, now.sentBitsPerSecond / now.uplinkBitsPerSecond)} />
			)}
			<dl className="node-figures">
				{figures.map(({ label, value }) => (
					<div key={label}>
						<dt>{label}</dt>
						<dd>{value}</dd>
					</div>
				))}
			</dl>
		</Card>
	);
}
