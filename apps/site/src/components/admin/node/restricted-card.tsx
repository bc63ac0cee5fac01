import { Button, Card, toast } from "@repldock/ui";
import { useState } from "react";
import { callApi, sentenceOf } from "../../api/client.ts";
import { describeRate } from "../../rates.ts";
import { ago } from "../../time.ts";
import type { NetworkedProject } from "./answers.ts";

/** Projects whose network is throttled or closed, with the reason and what their owners say. */
export function RestrictedCard({ projects, onChanged }: { projects: NetworkedProject[]; onChanged: () => void }) {
	const [pending, setPending] = useState(false);

	async function lift(project: NetworkedProject) {
		if (pending) return;
		setPending(true);
		try {
			await callApi("DELETE", `/api/v1/admin/projects/${project.id}/network-restriction`);
			toast({ title: `${project.name} is free again` });
			onChanged();
		} catch (error) {
			toast({ title: "The restriction was not lifted", detail: sentenceOf(error), tone: "danger" });
		}
		setPending(false);
	}

	return (
		<Card title="Restricted" description="Owners see the reason in their project and on its card.">
			{projects.length === 0 && <p className="quiet">No project's network is restricted.</p>}
			<ul className="node-list">
				{projects.map((project) => (
					<li key={project.id}>
						<div>
							<p>
								<strong>{project.name}</strong> of {project.ownerName}: {describeRestriction(project)}
								{project.restrictedAt && <span className="quiet">, {ago(project.restrictedAt)}</span>}
							</p>
							<p>{project.restriction?.reason}</p>
							<p className="quiet">{project.answer ? `Answer: ${project.answer}` : "No answer yet."}</p>
						</div>
						<Button
							size="small"
							aria-label={`Lift the restriction of ${project.name}`}
							disabled={pending}
							onClick={() => void lift(project)}
						>
							Lift
						</Button>
					</li>
				))}
			</ul>
		</Card>
	);
}

function describeRestriction({ restriction }: NetworkedProject): string {
	if (restriction?.kind === "closed") return "closed";
	return `throttled to ${describeRate(restriction?.bitsPerSecond ?? 0)}`;
}
