import { Badge, Button, Card, Table } from "@repldock/ui";
import { describeRate } from "../../rates.ts";
import type { NetworkedProject, NodeTrafficAnswer } from "./answers.ts";

export interface TalkersCardProps extends Pick<NodeTrafficAnswer, "talkers" | "owners"> {
	onRestrict: (project: NetworkedProject, kind: "throttled" | "closed") => void;
}

/** Who sends and receives the most, with what can be done about it. */
export function TalkersCard({ talkers, owners, onRestrict }: TalkersCardProps) {
	return (
		<Card title="Top talkers" description="What projects sent and received in the last ten seconds.">
			{talkers.length === 0 && <p className="quiet">Nobody sends or receives anything.</p>}
			{talkers.length > 0 && (
				<Table label="Top talkers" columns={["Project", "Restrict", "Sends", "Receives", "Connections", "Refused"]}>
					{talkers.map(({ project, ...rate }) => (
						<tr key={project.id}>
							<td>
								<strong>{project.name}</strong>{" "}
								{project.restriction && (
									<Badge tone="warning">{project.restriction.kind === "closed" ? "Closed" : "Throttled"}</Badge>
								)}
								<br />
								<span className="quiet">
									{project.slug}, {project.ownerName}
								</span>
							</td>
							<td>
								<span className="node-actions">
									<Button
										size="small"
										aria-label={`Throttle ${project.name}`}
										onClick={() => onRestrict(project, "throttled")}
									>
										Throttle
									</Button>
									<Button
										size="small"
										aria-label={`Close the network of ${project.name}`}
										onClick={() => onRestrict(project, "closed")}
									>
										Close
									</Button>
								</span>
							</td>
							<td className="figure">{describeRate(rate.sentBitsPerSecond)}</td>
							<td className="figure">{describeRate(rate.receivedBitsPerSecond)}</td>
							<td className="figure">{rate.connections.toLocaleString("en")}</td>
							<td className="figure">{rate.refusedPackets.toLocaleString("en")}</td>
						</tr>
					))}
				</Table>
			)}
			{owners.length > 0 && (
				<Table label="Owners" columns={["Owner", "Projects", "Sends", "Receives"]}>
					{owners.map((owner) => (
						<tr key={owner.id}>
							<td>{owner.name}</td>
							<td className="figure">{owner.projects}</td>
							<td className="figure">{describeRate(owner.sentBitsPerSecond)}</td>
							<td className="figure">{describeRate(owner.receivedBitsPerSecond)}</td>
						</tr>
					))}
				</Table>
			)}
		</Card>
	);
}
