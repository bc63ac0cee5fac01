import type { NetworkAlertKind } from "@repldock/protocol";
import { Badge, Card } from "@repldock/ui";
import { ago } from "../../time.ts";
import type { NodeAlert } from "./answers.ts";

const names: Record<NetworkAlertKind, string> = {
	"port-scan": "Port scan",
	"connection-storm": "Connection storm",
	mining: "Mining",
	"dns-tunnel": "DNS tunnel",
};

/** What the node noticed, the latest first. */
export function AlertsCard({ alerts }: { alerts: NodeAlert[] }) {
	return (
		<Card
			title="Alerts"
			description="Floods and the like that the node noticed. They may have good reasons: look first."
		>
			{alerts.length === 0 && <p className="quiet">Nothing was noticed.</p>}
			<ul className="node-list">
				{alerts.map((alert) => (
					<li key={alert.id}>
						<div>
							<p>
								<Badge tone="danger">{names[alert.kind]}</Badge> <strong>{alert.project.name}</strong> of{" "}
								{alert.project.ownerName}
								<span className="quiet">, {ago(alert.noticedAt)}</span>
							</p>
							<p>{alert.detail}</p>
						</div>
					</li>
				))}
			</ul>
		</Card>
	);
}
