import { Progress, StatusDot } from "@repldock/ui";
import { ago } from "../time.ts";
import { ListCard } from "./list-card.tsx";
import { useList } from "./use-list.ts";

interface NodeAnswer {
	id: string;
	name: string;
	gatewayUrl: string;
	live: boolean;
	slots: number;
	running: number;
	lastSeenAt: string;
}

export function NodesCard() {
	const list = useList<NodeAnswer>("/api/v1/nodes");
	return (
		<ListCard
			title="Nodes"
			description="The servers that run containers."
			empty="No node has registered yet. Start one with ./repldock up."
			columns={["Name", "State", "Containers", "Last seen"]}
			list={list}
			row={(node) => ({
				key: node.id,
				cells: {
					Name: (
						<>
							<a href={`/admin/nodes/${node.id}`}>
								<strong>{node.name}</strong>
							</a>
							<br />
							<span className="quiet">{node.gatewayUrl}</span>
						</>
					),
					State: <StatusDot tone={node.live ? "positive" : "danger"} label={node.live ? "Connected" : "Lost"} />,
					Containers: (
						<div className="slots">
							<span>
								{node.running} of {node.slots}
							</span>
							<Progress
								label={`Slots used on ${node.name}`}
								hideLabel
								value={node.slots > 0 ? node.running / node.slots : 0}
							/>
						</div>
					),
					"Last seen": <span className="quiet">{ago(node.lastSeenAt)}</span>,
				},
			})}
		/>
	);
}
