import { Badge, Button, Card, Table } from "@repldock/ui";
import { describeRate } from "../../rates.ts";
import type { NetworkedProject, NodeTrafficAnswer } from "./answers.ts";

export interface TalkersCardProps extends Pick<NodeTrafficAnswer, "talkers" | "owners"> {
	onRestrict: (project: NetworkedProject, kind: "throttled" | "closed") => void;
}

const figure = (text: string | number) => <span className="figure">{text}</span>;

/** Who sends and receives the most, with what can be done about it. */
export function TalkersCard({ talkers, owners, onRestrict }: TalkersCardProps) {
	return (
		<Card title="Top talkers" description="What projects sent and received in the last ten seconds.">
			{talkers.length === 0 && <p className="quiet">Nobody sends or receives anything.</p>}
			{talkers.length > 0 && (
				<Table
					label="Top talkers"
					columns={["Project", "Restrict", "Sends", "Receives", "Connections", "Refused"]}
					rows={talkers.map(({ project, ...rate }) => ({
						key: project.id,
						cells: {
							Project: (
								<>
									<strong>{project.name}</strong>{" "}
									{project.restriction && (
										<Badge tone="warning">{project.restriction.kind === "closed" ? "Closed" : "Throttled"}</Badge>
									)}
									<br />
									<span className="quiet">
										{project.slug}, {project.ownerName}
									</span>
								</>
							),
							Restrict: (
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
							),
							Sends: figure(describeRate(rate.sentBitsPerSecond)),
							Receives: figure(describeRate(rate.receivedBitsPerSecond)),
							Connections: figure(rate.connections.toLocaleString("en")),
							Refused: figure(rate.refusedPackets.toLocaleString("en")),
						},
					}))}
				/>
			)}
			{owners.length > 0 && (
				<Table
					label="Owners"
					columns={["Owner", "Projects", "Sends", "Receives"]}
					rows={owners.map(({ id, name, ...rate }) => ({
						key: id,
						cells: {
							Owner: name,
							Projects: figure(rate.projects),
							Sends: figure(describeRate(rate.sentBitsPerSecond)),
							Receives: figure(describeRate(rate.receivedBitsPerSecond)),
						},
					}))}
				/>
			)}
		</Card>
	);
}
