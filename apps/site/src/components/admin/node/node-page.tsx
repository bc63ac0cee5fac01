import { Breadcrumb, Button, Callout, Skeleton, StatusDot, Toaster } from "@repldock/ui";
import { useState } from "react";
import { AlertsCard } from "./alerts-card.tsx";
import type { NetworkedProject } from "./answers.ts";
import { RestrictDialog } from "./restrict-dialog.tsx";
import { RestrictedCard } from "./restricted-card.tsx";
import { TalkersCard } from "./talkers-card.tsx";
import { UplinkCard } from "./uplink-card.tsx";
import { useNodeTraffic } from "./use-node-traffic.ts";

/** One node's network: how full it is, who fills it, and what to do about that. */
export function NodePage({ id }: { id: string }) {
	const { answer, problem, reload } = useNodeTraffic(id);
	const [restricting, setRestricting] = useState<{ project: NetworkedProject; kind: "throttled" | "closed" }>();

	return (
		<div className="stack">
			<Breadcrumb items={[{ label: "Administration", href: "/admin" }, { label: answer?.node.name ?? "Node" }]} />
			<div className="page-head">
				<h1>{answer?.node.name ?? "Node"}</h1>
				{answer && (
					<StatusDot tone={answer.node.live ? "positive" : "danger"} label={answer.node.live ? "Connected" : "Lost"} />
				)}
			</div>
			{problem && (
				<Callout tone="danger" action={<Button onClick={() => void reload()}>Try again</Button>}>
					{problem}
				</Callout>
			)}
			{!answer && !problem && <Skeleton height="12rem" />}
			{answer && (
				<>
					<UplinkCard now={answer.now} node={answer.node} />
					<TalkersCard
						talkers={answer.talkers}
						owners={answer.owners}
						onRestrict={(project, kind) => setRestricting({ project, kind })}
					/>
					<RestrictedCard projects={answer.restricted} onChanged={() => void reload()} />
					<AlertsCard alerts={answer.alerts} />
				</>
			)}
			{restricting && (
				<RestrictDialog {...restricting} onClose={() => setRestricting(undefined)} onChanged={() => void reload()} />
			)}
			<Toaster />
		</div>
	);
}
